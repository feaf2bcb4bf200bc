//! Whether an expression looks at a field of a variable, wherever in it.
//! k8s: hasSelectExp of `apis/apiserver/validation`

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

/// `variable.field`, `variable.?field` or `has(variable.field)`.
pub(super) fn selects(expr: &IdedExpr, variable: &str, field: &str) -> bool {
    let below = |expr: &IdedExpr| selects(expr, variable, field);
    match &expr.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => false,
        Expr::Select(select) => is_named(&select.operand, variable) && select.field == field || below(&select.operand),
        Expr::Call(call) => {
            let is_optional = matches!(call.args.as_slice(), [of, name]
                if call.func_name == "_?._" && is_named(of, variable) && is_text(name, field));
            is_optional || call.args.iter().any(below) || call.target.as_deref().is_some_and(below)
        }
        Expr::List(list) => list.elements.iter().any(below),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => below(&entry.key) || below(&entry.value),
            EntryExpr::StructField(field) => below(&field.value),
        }),
        Expr::Struct(it) => it.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => below(&entry.key) || below(&entry.value),
            EntryExpr::StructField(field) => below(&field.value),
        }),
        Expr::Comprehension(it) => {
            [&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result].into_iter().any(below)
        }
    }
}

fn is_named(expr: &IdedExpr, variable: &str) -> bool {
    matches!(&expr.expr, Expr::Ident(name) if name == variable)
}

fn is_text(expr: &IdedExpr, text: &str) -> bool {
    matches!(&expr.expr, Expr::Literal(LiteralValue::String(found)) if found.inner() == text)
}
