//! Static assets: what a client gets of an app's files, and what it never gets.

mod content;
mod life;
mod outside;
mod site;
mod streams;
