//! Accept, admit, route, respond: alone in facing the public
