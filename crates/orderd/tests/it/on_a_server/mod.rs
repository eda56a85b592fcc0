//! What holds only where processes share a database.

mod many;
mod restarts;
