//! What a guest may be given: the Capability trait, the Guest, the conformance suite
