//! Custom resources: what they own goes with them, and they go with their definition.

use super::{Edit, Scenario, verdict};
use crate::world::text;

const WIDGETS: &str = "/apis/sim.test/v1/namespaces/default/widgets";
const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

macro_rules! definition {
    ($plural:literal, $singular:literal, $kind:literal) => {
        Edit::Create(
            DEFINITIONS,
            concat!(
                "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ",
                $plural,
                ".sim.test}
spec:
  group: sim.test
  scope: Namespaced
  names: {plural: ",
                $plural,
                ", singular: ",
                $singular,
                ", kind: ",
                $kind,
                "}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
"
            ),
        )
    };
}

macro_rules! widget {
    ($name:literal) => {
        concat!("{apiVersion: sim.test/v1, kind: Widget, metadata: {name: ", $name, "}, spec: {size: 1}}")
    };
}

macro_rules! config {
    ($name:literal) => {
        concat!("{apiVersion: v1, kind: ConfigMap, metadata: {name: ", $name, "}}")
    };
}

pub(super) const DEFINED: Scenario = Scenario {
    name: "custom",
    nodes: 1,
    start: &[
        definition!("widgets", "widget", "Widget"),
        definition!("gadgets", "gadget", "Gadget"),
        Edit::Create(WIDGETS, widget!("one")),
        Edit::Create(WIDGETS, widget!("two")),
        Edit::Create(CONFIGS, config!("kept")),
        Edit::Create(
            "/apis/sim.test/v1/namespaces/default/gadgets",
            "{apiVersion: sim.test/v1, kind: Gadget, metadata: {name: any}}",
        ),
    ],
    edits: &[
        Edit::CreateOwned(CONFIGS, "/apis/sim.test/v1/namespaces/default/widgets/one", config!("of-one")),
        Edit::CreateOwned(WIDGETS, "/apis/sim.test/v1/namespaces/default/widgets/two", widget!("three")),
        Edit::CreateOwned(WIDGETS, "/api/v1/namespaces/default/configmaps/kept", widget!("four")),
        Edit::CreateOwned(CONFIGS, "/apis/sim.test/v1/namespaces/default/gadgets/any", config!("of-any")),
        Edit::Patch("/apis/sim.test/v1/namespaces/default/widgets/two", "spec: {size: 8}"),
        Edit::Delete("/apis/sim.test/v1/namespaces/default/widgets/one"),
        Edit::DeleteInForeground("/apis/sim.test/v1/namespaces/default/widgets/two"),
        Edit::Delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.sim.test"),
    ],
    settled: |world| {
        let names = |collection: &'static str| world.of(collection).map(|one| text(one, "/metadata/name"));
        let widgets: Vec<&str> = names("sim.test/widgets").collect();
        // Of an owner whose kind has gone with it only those know that saw it go: `of-any` may stay, as it does upstream.
        let owned: Vec<&str> = names("configmaps").filter(|name| *name == "of-one").collect();
        let gadgets =
            names("sim.test/gadgets").count() + usize::from(world.named(DEFINED_AS, "gadgets.sim.test").is_some());
        verdict(widgets == ["four"] && owned.is_empty() && gadgets == 0, || {
            format!("{widgets:?} and {owned:?} are left, and {gadgets} of gadgets")
        })
    },
};

const DEFINED_AS: &str = "apiextensions.k8s.io/customresourcedefinitions";
