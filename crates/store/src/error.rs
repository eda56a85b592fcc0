//! What can go wrong in a store, by what the caller does next.

use std::error::Error as Source;

/// Why a store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not done. Try again later.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Source + Send + Sync>),
    /// It was begun, and whether it was done is not known. Look the key or the version up; nobody
    /// repeats or undoes it blindly.
    #[error("the store did not say whether it was done")]
    Unknown(#[source] Box<dyn Source + Send + Sync>),
    /// What is stored makes no sense. Wake someone.
    #[error("the store holds what cannot be: {0}")]
    Corrupt(String),
}
