//! HorizontalPodAutoscaler (autoscaling/v1): autoscaling/v2 as older clients know it. See [`crate::viewed`].

use super::horizontal_pod_autoscaler as v2;
use crate::row::{Row, replace};
use std::borrow::Cow;

pub(crate) const ROW: Row = {
    let mut row = v2::ROW;
    replace(&mut row.version, Cow::Borrowed("v1"));
    replace(&mut row.schema, Cow::Borrowed("io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler"));
    row
};

#[cfg(test)]
mod tests {
    use crate::table;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_old_form_has_the_defaults_rules_and_cells_of_the_new_one() {
        let kind = table::find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
        let mut old = json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        });
        kind.default(&mut old);
        assert_eq!(old["apiVersion"], "autoscaling/v1");
        assert_eq!(
            (&old["spec"]["minReplicas"], &old["spec"]["targetCPUUtilizationPercentage"]),
            (&json!(1), &json!(80))
        );
        let errors: Vec<String> = kind.create(&mut old).iter().map(ToString::to_string).collect();
        expect![[r"
            spec.maxReplicas: Invalid value: 0: must be greater than 0
            spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"]]
        .assert_eq(&errors.join("\n"));
        let cells: Vec<String> = kind.cells(&old, 0).iter().map(ToString::to_string).collect();
        assert_eq!(cells[1..5], ["\"Deployment/web\"", "\"cpu: <unknown>/80%\"", "\"1\"", "0"]);
    }
}
