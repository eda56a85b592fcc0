//! What the process that serves can tell of itself beyond its store. Knowing it is the binary's.

use async_trait::async_trait;

/// What the process that serves can tell of itself.
#[async_trait]
pub trait Inside: Send + Sync {
    /// Every setting, with secrets masked.
    fn settings(&self) -> Vec<SettingShown>;

    /// Who is asked for money and stock by this process; none where its workers are elsewhere.
    fn providers(&self) -> Vec<ProviderState>;

    /// Looks for what keeps the service from working well, as `orderd doctor` does.
    async fn examine(&self) -> Vec<Finding>;
}

/// A setting and where its value comes from.
#[derive(Clone, Debug)]
pub struct SettingShown {
    /// Its name in `orderd.toml`: `cache.ttl`.
    pub key: String,
    /// Its value, masked where it is a secret.
    pub value: String,
    /// Where that comes from: a flag, a variable, a file or the default.
    pub source: String,
}

/// How a provider is doing.
#[derive(Clone, Debug)]
pub struct ProviderState {
    /// What people call it.
    pub name: String,
    /// Who it is: a URL, or that it is simulated.
    pub address: String,
    /// Calls that failed since the last that did not.
    pub failures: u32,
    /// In how many ms the breaker lets a call through again; `None` where it is closed.
    pub open_for_ms: Option<i64>,
    /// Calls that are under way.
    pub calls: usize,
    /// The most calls at once.
    pub calls_max: usize,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// Whether it is as it should be.
    pub is_good: bool,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub fix: Option<String>,
}
