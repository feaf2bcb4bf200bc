//! POST: a new object.

use super::admit::Operation;
use super::charge::Known;
use super::commit::Commit;
use super::metadata::By;
use super::{Call, Registry, Written, managed, metadata};
use crate::admission::Warnings;
use crate::error::{ApiError, Qualified};
use bytes::Bytes;
use kinds::errors::{FieldError, FieldErrors};
use rand::RngExt;
use serde_json::Value;
use store::Write;

/// k8s: maxNameGenerationCreateAttempts
const NAME_TRIES_MAX: usize = 8;

impl Registry {
    /// Creates `object`, which passed [`super::decode`]. `call.name` is not looked at: the name is in the object.
    pub async fn create(&self, call: &Call<'_>, mut object: Value) -> Result<Written, ApiError> {
        let row = call.row();
        metadata::settle_type(row, &mut object);
        metadata::settle_namespace(row, &mut object, call.ns)?;
        if !matches!(metadata::text(&object, "resourceVersion"), "" | "0") {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let base = metadata::text(&object, "generateName").to_owned();
        let generated = metadata::text(&object, "name").is_empty() && !base.is_empty();
        let mut name = metadata::text(&object, "name").to_owned();
        if !generated {
            return self.create_named(&call.named(call.ns, &name), object).await;
        }
        for _ in 0..NAME_TRIES_MAX {
            name = metadata::generate_name(&base, |below| rand::rng().random_range(0..below));
            let mut candidate = object.clone();
            metadata::set(&mut candidate, "name", name.as_str());
            match self.create_named(&call.named(call.ns, &name), candidate).await {
                Err(ApiError::AlreadyExists { .. }) => {}
                result => return result,
            }
        }
        Err(ApiError::NameExhausted { resource: Qualified::resource(row), name })
    }

    async fn create_named(&self, call: &Call<'_>, mut object: Value) -> Result<Written, ApiError> {
        let row = call.row();
        if call.name.is_empty() {
            let error = FieldError::required("metadata.name", "name or generateName is required");
            return Err(ApiError::invalid(row, "", vec![error]));
        }
        let now = self.now();
        metadata::stamp_create(&mut object, new_uid(), now);
        if row.generation {
            metadata::set(&mut object, "generation", 1);
        }
        let mut warnings: Warnings = metadata::dedup_owners(&mut object, By::Client).into_iter().collect();
        warnings.extend(call.kind.settle(&mut object));
        managed::on_create(&mut object, call, now);
        warnings.extend(self.admit(call, Operation::Create, &mut object, None).await?);
        warnings.extend(metadata::dedup_owners(&mut object, By::Admission));
        if metadata::text(&object, "name") != call.name || metadata::text(&object, "namespace") != call.ns {
            return Err(ApiError::internal("admission changed the object's name"));
        }
        let written = |(json, more): (Bytes, Warnings)| {
            warnings.extend(more);
            Written { json, created: true, warnings }
        };
        let Some(effect) = self.effects.of(row) else {
            let errors = call.kind.create(&mut object);
            return self.create_prepared(call, &object, errors, Vec::new()).await.map(written);
        };
        call.kind.prepare_create(&mut object);
        let result = match effect.prepare(&mut object, None, call.options.dry_run).await {
            Ok(more) => {
                let errors = call.kind.validate(&object);
                self.create_prepared(call, &object, errors, more).await
            }
            Err(error) => Err(error),
        };
        match &result {
            Ok(_) if !call.options.dry_run => effect.commit(Some(&object), None).await,
            Ok(_) | Err(_) => effect.abort(&object, None).await,
        }
        result.map(written)
    }

    async fn create_prepared(
        &self,
        call: &Call<'_>,
        object: &Value,
        errors: FieldErrors,
        more: Vec<Write>,
    ) -> Result<(Bytes, Warnings), ApiError> {
        let row = call.row();
        if !errors.is_empty() {
            return Err(ApiError::invalid(row, call.name, errors));
        }
        let warnings = self.admit_final(call, Operation::Create, object, None).await?;
        if call.options.dry_run {
            self.charge(call, Operation::Create, object, None, Known::Stored).await?;
            return match self.read(call).await? {
                Some(_) => Err(ApiError::already_exists(row, call.name)),
                None => Ok((crate::stored::encode(object), warnings)),
            };
        }
        match self.put_charged(call, object, None, more).await? {
            (Commit::Done(_), json) => Ok((json, warnings)),
            (Commit::Lost, _) => Err(ApiError::already_exists(row, call.name)),
            (Commit::Crossed { key }, _) => Err(ApiError::contended(&key)),
        }
    }
}

/// A random (version 4) UUID.
pub fn new_uid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut uid = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            uid.push('-');
        }
        uid.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    uid
}
