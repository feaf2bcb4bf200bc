//! The registry's side of admission: every write and every subresource passes here, whatever the verb.

use super::{Call, Registry};
use crate::admission::{self, Warnings};
use crate::error::ApiError;
use crate::subresource::scale;
use serde_json::Value;

pub use crate::admission::Operation;

impl Registry {
    /// Lets admission change the object before it is validated.
    pub(crate) async fn admit(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<Warnings, ApiError> {
        if call.admitted {
            return Ok(Warnings::new());
        }
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.mutate(&seen, object).await
    }

    /// Lets admission refuse the operation, with the object as it would be stored.
    pub(crate) async fn admit_final(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<Warnings, ApiError> {
        if call.admitted {
            return Ok(Warnings::new());
        }
        let seen = admission::Call::new(call.request, old).with_operation(operation);
        self.admission.validate(&seen, object).await
    }

    /// [`Registry::admit`] of a change, which through `scale` is one of a Scale.
    pub(super) async fn admit_change(
        &self,
        call: &Call<'_>,
        object: &mut Value,
        old: &Value,
    ) -> Result<Warnings, ApiError> {
        if call.subresource != "scale" {
            return self.admit(call, Operation::Update, object, Some(old)).await;
        }
        let kind = call.kind.as_ref();
        let before = scale::of(kind, object);
        let mut scale = before.clone();
        let warnings = self.admit(call, Operation::Update, &mut scale, Some(&scale::of(kind, old))).await?;
        if scale != before {
            scale::take(call, object, &scale)?;
        }
        Ok(warnings)
    }

    /// [`Registry::admit_final`] of a change.
    pub(super) async fn admit_final_change(
        &self,
        call: &Call<'_>,
        object: &Value,
        old: &Value,
    ) -> Result<Warnings, ApiError> {
        if call.subresource != "scale" {
            return self.admit_final(call, Operation::Update, object, Some(old)).await;
        }
        let kind = call.kind.as_ref();
        self.admit_final(call, Operation::Update, &scale::of(kind, object), Some(&scale::of(kind, old))).await
    }

    /// Both stages of a deletion, which brings no object.
    pub(super) async fn admit_delete(&self, call: &Call<'_>, old: &Value) -> Result<Warnings, ApiError> {
        let mut warnings = self.admit(call, Operation::Delete, &mut Value::Null, Some(old)).await?;
        warnings.extend(self.admit_final(call, Operation::Delete, &Value::Null, Some(old)).await?);
        Ok(warnings)
    }

    /// Both stages of a connection, whose object are the options of its query.
    pub async fn admit_connection(&self, call: &Call<'_>) -> Result<Warnings, ApiError> {
        let seen = admission::Call::new(call.request, None).with_operation(Operation::Connect);
        let mut options = seen.connect_options();
        let mut warnings = self.admit(call, Operation::Connect, &mut options, None).await?;
        warnings.extend(self.admit_final(call, Operation::Connect, &options, None).await?);
        Ok(warnings)
    }

    /// Both stages of a request that is answered and not stored.
    pub async fn admit_unstored(&self, call: &Call<'_>, object: &mut Value) -> Result<Warnings, ApiError> {
        let mut warnings = self.admit(call, Operation::Create, object, None).await?;
        warnings.extend(self.admit_final(call, Operation::Create, object, None).await?);
        Ok(warnings)
    }
}
