//! The registry's side of admission: every write and every subresource passes here, whatever the verb.

use super::{Call, Registry};
use crate::admission;
use crate::error::ApiError;
use serde_json::Value;

pub use crate::admission::Operation;

impl Registry {
    /// Lets admission change the object before it is validated.
    pub(super) async fn admit(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.mutate(&seen, object).await
    }

    /// Lets admission refuse the operation, with the object as it would be stored (`None` for deletes and connects).
    pub async fn admit_final(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.validate(&seen, object).await
    }
}
