//! What Tombolo keeps on disk: precompiled artefacts and the embedded key-value store
