//! WASI 0.1, 0.2 and 0.3 and wasi:http for Tombolo guests
