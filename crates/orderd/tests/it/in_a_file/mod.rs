//! What holds of a file of our own and cannot be tried on a server: a disk that forgets or is full,
//! how many orders a page of one customer's looks at, and bugs that are planted in the code of one
//! engine.

mod backup;
mod disk;
mod lists;
#[cfg(feature = "mutants")]
mod planted;
mod power;
