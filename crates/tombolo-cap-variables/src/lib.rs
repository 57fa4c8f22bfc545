//! Application variables for Tombolo guests
