//! What holds of a file of our own and cannot be tried on a server: a disk that forgets or is full,
//! and bugs that are planted in the code of one engine.

mod backup;
mod disk;
#[cfg(feature = "mutants")]
mod planted;
mod power;
