//! Prepare, instantiate and run guests: alone in configuring the engine
