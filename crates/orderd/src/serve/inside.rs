//! What the dashboard shows of this process beside its store.

use crate::doctor;
use api::{Finding, Inside, ProviderState, SettingShown};
use async_trait::async_trait;
use setup::config::{Config, keys, shown};
use setup::fulfilment::is_simulated;
use std::sync::Arc;
use store::open::redacted;
use toml::Value;
use worker::Provider;

/// What the process can tell.
pub(super) struct Told {
    config: Config,
    /// Who is asked for money, and for stock; nobody where workers are elsewhere.
    providers: Vec<Arc<dyn Provider>>,
}

impl Told {
    pub(super) fn new(config: &Config, providers: Vec<Arc<dyn Provider>>) -> Self {
        Self {
            config: config.clone(),
            providers,
        }
    }

    fn address(&self, name: &str) -> String {
        let settings = &self.config.settings;
        let simulated = format!(
            "simulated here, {} % of calls fail",
            f64::from(settings.simulated.failure_rate) / 1e4
        );
        let url = match name {
            "payment" if is_simulated(settings) => return simulated,
            "payment" => &settings.payments.api_url,
            _ if !settings.inventory.api_url.is_empty() => &settings.inventory.api_url,
            _ if is_simulated(settings) => return format!("own stock; failures {simulated}"),
            _ => return "own stock".to_owned(),
        };
        redacted(url)
    }
}

#[async_trait]
impl Inside for Told {
    fn settings(&self) -> Vec<SettingShown> {
        let setting = |key: String| {
            let found = &self.config.values[&key];
            let value = match shown(&key, &found.value) {
                Value::String(text) => text,
                value => value.to_string(),
            };
            let source = found.origin.to_string();
            SettingShown { key, value, source }
        };
        keys().into_iter().map(setting).collect()
    }

    fn providers(&self) -> Vec<ProviderState> {
        let states = self.providers.iter().filter_map(|it| it.state());
        states
            .map(|state| ProviderState {
                name: state.name.to_owned(),
                address: self.address(state.name),
                failures: state.failures,
                open_for_ms: state.open_for_ms,
                calls: state.calls,
                calls_max: state.calls_max,
            })
            .collect()
    }

    async fn examine(&self) -> Vec<Finding> {
        let findings = doctor::glance(&self.config).await;
        let told = |finding: doctor::Finding| Finding {
            subject: finding.subject.to_owned(),
            is_good: finding.ok,
            detail: finding.detail,
            fix: finding.fix,
        };
        findings.into_iter().map(told).collect()
    }
}
