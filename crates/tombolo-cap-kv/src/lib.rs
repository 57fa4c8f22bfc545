//! Key-value stores for Tombolo guests
