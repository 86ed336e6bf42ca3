//! A plugin as a step.

use arrow::datatypes::SchemaRef;
use engine::{Keyed, Port, Result, Step, StepFacts, plan::Work};
use plugin::{BindSettings, KeyedPlugin, KeyedSettings, Plugin, PluginStep};
use std::sync::Arc;

/// A plugin that is bound.
#[derive(Clone)]
pub(crate) enum BoundPlugin {
    /// Whose batches are each for itself.
    Stateless(Arc<PluginStep>),
    /// That keeps state by key.
    Keyed(Arc<KeyedPlugin>),
}

/// What a plugin is bound to.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) bind: BindSettings,
    /// By what it keeps state; none if it keeps none.
    pub(crate) keys: Option<Vec<String>>,
}

impl BoundPlugin {
    pub(crate) async fn bind(plugin: &Plugin, Terms { bind, keys }: Terms) -> Result<Self> {
        Ok(match keys {
            Some(keys) => {
                BoundPlugin::Keyed(Arc::new(plugin.bind_keyed(KeyedSettings { bind, keys }).await?))
            }
            None => BoundPlugin::Stateless(Arc::new(plugin.bind(bind).await?)),
        })
    }

    pub(crate) fn work(&self) -> Work {
        match self {
            BoundPlugin::Stateless(step) => Work::Stateless(step.clone()),
            BoundPlugin::Keyed(step) => Work::Keyed(step.clone()),
        }
    }

    pub(crate) fn ports(&self) -> &[Port] {
        match self {
            BoundPlugin::Stateless(step) => step.ports(),
            BoundPlugin::Keyed(step) => step.ports(),
        }
    }

    pub(crate) fn input(&self) -> SchemaRef {
        match self {
            BoundPlugin::Stateless(step) => step.input(),
            BoundPlugin::Keyed(step) => step.input(),
        }
    }

    pub(crate) fn facts(&self) -> StepFacts {
        match self {
            BoundPlugin::Stateless(step) => step.facts(),
            BoundPlugin::Keyed(step) => step.facts(),
        }
    }

    pub(crate) fn stateless(&self) -> Option<&Arc<PluginStep>> {
        if let BoundPlugin::Stateless(step) = self { Some(step) } else { None }
    }

    pub(crate) fn keyed(&self) -> Option<&Arc<KeyedPlugin>> {
        if let BoundPlugin::Keyed(step) = self { Some(step) } else { None }
    }
}
