//! The registry's side of admission: every write and every subresource passes here, whatever the verb.

use super::{Call, Registry};
use crate::admission::{self, Warnings};
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
    ) -> Result<Warnings, ApiError> {
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.mutate(&seen, object).await
    }

    /// Lets admission refuse the operation, with the object as it would be stored.
    pub(super) async fn admit_final(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<Warnings, ApiError> {
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.validate(&seen, Some(object)).await
    }

    /// Both stages of a deletion or a connection, which bring no object.
    pub async fn admit_objectless(
        &self,
        call: &Call<'_>,
        operation: Operation,
        old: Option<&Value>,
    ) -> Result<Warnings, ApiError> {
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        let mut warnings = self.admission.mutate(&seen, &mut Value::Null).await?;
        warnings.extend(self.admission.validate(&seen, None).await?);
        Ok(warnings)
    }

    /// Both stages of a request that is answered and not stored.
    pub async fn admit_unstored(&self, call: &Call<'_>, object: &mut Value) -> Result<Warnings, ApiError> {
        let seen = admission::Call::new(call.request, None).with_operation(Operation::Create);
        let mut warnings = self.admission.mutate(&seen, object).await?;
        warnings.extend(self.admission.validate(&seen, Some(object)).await?);
        Ok(warnings)
    }
}
