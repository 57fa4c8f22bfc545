//! Composition root: Config to running node to drained node
