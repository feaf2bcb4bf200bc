//! Rules for names, as other crates use them: each returns upstream's complaints, none where the name is fine.
//! The rules themselves live with validation.

pub use crate::validate::format::{dns_1035_label, dns_label, dns_subdomain, label_value, qualified_name};
