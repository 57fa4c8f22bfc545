//! Sandboxes, servers and guests for Tombolo's tests
