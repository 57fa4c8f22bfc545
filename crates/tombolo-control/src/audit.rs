//! The audit log: who changed what, or tried to.

use tombolo_api::AuditLine;
use tombolo_store::records::AuditRecord;

/// A record as it is told.
pub(crate) fn line((number, record): (u64, AuditRecord)) -> AuditLine {
    let AuditRecord { at, who, from, what, outcome, tenant: _, event: _ } = record;
    AuditLine { number, at, who, from, what, outcome }
}
