//! Expressions of every library, and what is said of those that cannot be.

use super::*;
use crate::custom::structural::Structural;
use serde_json::{Value, json};

fn schema() -> Structural {
    Structural::of_object(&json!({"type": "object", "properties": {
        "n": {"type": "integer"}, "f": {"type": "number"}, "s": {"type": "string"}, "at": {"type": "string", "format": "date-time"},
        "d": {"type": "string", "format": "duration"}, "any": {"x-kubernetes-int-or-string": true},
        "list": {"type": "array", "items": {"type": "string"}}, "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "a-b": {"type": "string"}, "namespace": {"type": "string"},
        "objects": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}}}}))
}

fn object() -> Value {
    json!({"apiVersion": "e.com/v1", "kind": "K", "metadata": {"name": "x"}, "n": 3, "f": 2, "s": "héllo", "at": "2026-01-02T03:04:05Z",
        "d": "1h30m", "any": "50%", "list": ["b", "a"], "set": ["x", "y"], "map": {"k": 1, "z": 2}, "a-b": "dash", "namespace": "ns",
        "objects": [{"k": "one", "v": 1}, {"k": "two", "v": 2}]})
}

fn outcome(source: &str) -> String {
    let (schema, object) = (schema(), object());
    let program = match Program::compile(source, &Environment::new([("self", Ty::of(&schema))])) {
        Ok(program) => program,
        Err(error) => return error,
    };
    let value = Val::of(&object, Some(&schema));
    match program.evaluate(&[("self", value)], &mut Budget::new(10_000_000)) {
        Ok(Val::Bool(flag)) => flag.to_string(),
        Ok(other) => format!("{other:?}"),
        Err(EvalError::Failed(text)) => format!("failed: {text}"),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn expressions_of_all_libraries_hold() {
    let all = [
        "self.n == 3 && self.n < 4 && self.n + 1 == 4 && -self.n == -3 && self.n % 2 == 1",
        "self.f == 2.0 && self.f * 2.0 == 4.0",
        "size(self.s) == 5 && self.s.startsWith('h') && self.s.endsWith('llo') && self.s.contains('éll')",
        "self.s.matches('^h.*o$') && self.s.upperAscii().contains('LLO') && self.s.substring(1, 3) == 'él'",
        "self.s.indexOf('l') == 2 && self.s.lastIndexOf('l') == 3 && self.s.replace('l', 'L') == 'héLLo'",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && ' x '.trim() == 'x' && 'abc'.charAt(1) == 'b'",
        "self.at.getFullYear() == 2026 && self.at < timestamp('2027-01-01T00:00:00Z')",
        "self.d == duration('90m') && self.d.getMinutes() == 90",
        "type(self.any) == string && self.any == '50%'",
        "self.list.all(x, x.size() == 1) && self.list.exists(x, x == 'a') && self.list.exists_one(x, x == 'a')",
        "self.list.map(x, x + '!') == ['b!', 'a!'] && self.list.filter(x, x > 'a') == ['b']",
        "self.set == ['y', 'x'] && self.list != ['a', 'b']",
        "'k' in self.map && self.map['k'] == 1 && self.map.all(k, self.map[k] > 0) && 'b' in self.list",
        "has(self.s) && !has(self.map.q) && self.metadata.name == 'x' && self.apiVersion == 'e.com/v1'",
        "self.a__dash__b == 'dash' && self.__namespace__ == 'ns'",
        "self.objects.exists(o, o.k == 'two' && o.v == 2) && self.objects[0].v == 1",
        "self.?map.orValue({}).size() == 2 && optional.none().orValue(1) == 1 && self.map[?'none'].hasValue() == false",
        "[1, 2, 3].isSorted() && [1, 2, 3].sum() == 6 && [3, 1].min() == 1 && [3, 1].max() == 3 && [1, 2].indexOf(2) == 1",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1]) && sets.intersects([1], [1, 5])",
        "'abc 123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
        "quantity('1Gi').isGreaterThan(quantity('1M')) && isQuantity('1k') && !isQuantity('x') && quantity('2').asInteger() == 2",
        "url('https://u@a.com:80/p?q=1').getHostname() == 'a.com' && url('https://a.com:80/').getPort() == '80' && isURL('/x') && !isURL('x y')",
        "ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('10.0.0') && ip('127.0.0.1').isLoopback() && ip.isCanonical('::1')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.0.0.0/8').prefixLength() == 8",
        "!format.dns1123Label().validate('a-b').hasValue() && format.dns1123Label().validate('A').hasValue()",
        "string(self.n) == '3' && int('7') == 7 && double('1.5') == 1.5 && bool('true')",
        "self.n > 100 ? false : true",
        "[1, 0].exists(x, 1 / x == 1)",
        "(1 / 0 == 1) || true",
        "[1, 2].exists(i, i == 2) && {'a': 1}.exists(k, k == 'a')",
    ];
    for source in all {
        assert_eq!(outcome(source), "true", "{source}");
    }
}

#[test]
fn what_cannot_be_is_said_when_it_is_written() {
    let table = [
        ("self.nothing > 1", "undefined field 'nothing'"),
        ("self.n == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("unheard(self)", "undeclared reference to 'unheard' (in container '')"),
        ("other.n", "undeclared reference to 'other' (in container '')"),
        ("self.n.unheardOf()", "undeclared reference to 'unheardOf' (in container '')"),
        ("self.metadata.labels", "undefined field 'labels'"),
        ("self.n.all(x, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("self.n >", "Syntax error"),
    ];
    for (source, part) in table {
        let told = outcome(source);
        assert!(told.starts_with("compilation failed: ERROR: <input>:1:") && told.contains(part), "{source}: {told}");
    }
    assert_eq!(
        outcome("1 + self.nothing"),
        "compilation failed: ERROR: <input>:1:9: undefined field 'nothing'\n | 1 + self.nothing\n | ........^"
    );
}

#[test]
fn what_fails_says_why() {
    let table = [
        ("self.objects[5].v == 1", "failed: index out of bounds: 5"),
        ("self.map.q == 1", "failed: no such key: q"),
        ("1 / (self.n - 3) == 1", "failed: division by zero"),
        ("9223372036854775807 + self.n == 1", "failed: integer overflow"),
    ];
    for (source, text) in table {
        assert_eq!(outcome(source), text, "{source}");
    }
}

#[test]
fn an_evaluation_ends_when_it_costs_too_much() {
    let many = format!("[{}]", vec!["1"; 200].join(","));
    let source = format!("{many}.all(a, {many}.all(b, {many}.all(c, a + b + c > 0)))");
    assert_eq!(outcome(&source), "CallCost");
}
