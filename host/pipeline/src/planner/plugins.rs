//! The plugins of a pipeline: where each comes from, whether its configuration fits, and what runs beside it.

use super::{Planner, json};
use crate::{
    bound::{BoundPlugin, Terms},
    file::PipelineFile,
    follow::Followed,
    releases::Releases,
    shadow::Shadow,
    world::World,
};
use connectors::stores;
use engine::{Error, Keyed, Result, plan::Work};
use plugin::{
    Misfit, Plugin,
    registry::{Policy, Wanted},
};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
};

impl Planner {
    /// The same, with a plugin beside that of a step.
    pub(crate) fn with_shadow(self, shadow: Arc<Shadow>) -> Result<Self> {
        let steps = &self.file.settings.steps;
        if steps.get(&shadow.step).is_some_and(|step| step.plugin.is_some()) {
            return Ok(Planner { shadow: Some(shadow), ..self });
        }
        let plugins = steps.iter().filter(|(_, step)| step.plugin.is_some());
        let plugins: Vec<&str> = plugins.map(|(name, _)| name.as_str()).collect();
        let there = if plugins.is_empty() {
            "none has one".into()
        } else {
            format!("there are: {}", plugins.join(", "))
        };
        let none = format!("there is no step `{}` with a plugin; {there}", shadow.step);
        Err(self.file.locate(&["steps"], Error::invalid(none)))
    }

    /// What a step with a plugin does: with another one beside it, if that was asked for.
    pub(crate) fn work_of(&self, name: &str, plugin: &BoundPlugin) -> Work {
        let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match &self.shadow {
            Some(shadow) if shadow.step == name => shadow.watch(plugin, beside.as_ref(), &self.world.clock),
            _ => plugin.work(),
        }
    }

    /// Binds what is to run beside a step, as that is bound.
    async fn bind_beside(&self, name: &str, terms: Terms, step: &BoundPlugin) -> Result<()> {
        let shadow = self.shadow.as_ref().filter(|shadow| shadow.step == name);
        let Some(with) = shadow.and_then(|shadow| shadow.with.as_ref()) else { return Ok(()) };
        let bound = async {
            let path = self.file.resolve(with.as_ref());
            let is_wanted = with.contains('@') || !path.exists();
            let plugin = match is_wanted.then(|| Wanted::parse(with)).flatten() {
                None => self.world.load(&path).await?,
                Some(wanted) => {
                    let registry = self.releases.registry()?;
                    let found = registry.resolve(&wanted?)?;
                    registry.load(&self.world.runtime, &found, self.releases.policy()).await?
                }
            };
            let bound = BoundPlugin::bind(&plugin, terms).await?;
            refuse_other_state(step, &bound)?;
            Ok::<_, Error>(bound)
        };
        let bound = bound.await.map_err(|e| e.while_doing(format!("--with {with}")))?;
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = Some(bound);
        Ok(())
    }

    /// The plugin of a place in the pipeline: of a path, or the registry's that the place runs.
    pub(crate) async fn plugin_at(&self, place: &str, text: &str) -> Result<Arc<Plugin>> {
        let Some(wanted) = self.wanted(text)? else {
            return match self.releases.policy().is_strict() {
                true => Err(Error::invalid(format!(
                    "`require-signed-by` asks for plugins that are signed, and {text} is a file that nobody has signed; add it to the \
                     registry with `streamhost plugin add --sign`, and name it as name@version"
                ))),
                false => self.plugin(text).await,
            };
        };
        let found = self.releases.choose(place, &wanted).map_err(|e| match text.contains('@') {
            true => e,
            false => e.while_doing(format!("there is no {}", self.file.resolve(text.as_ref()).display())),
        })?;
        let key = PathBuf::from(format!("{} {}", found.release, found.digest));
        let mut plugins = self.plugins.lock().await;
        if let Some(plugin) = plugins.get(&key) {
            return Ok(plugin.clone());
        }
        let registry = self.releases.registry()?;
        let plugin = registry.load(&self.world.runtime, &found, self.releases.policy()).await?;
        let plugin = Arc::new(plugin);
        plugins.insert(key, plugin.clone());
        Ok(plugin)
    }

    /// What of the registry a text asks for; none if it is a path.
    pub(super) fn wanted(&self, text: &str) -> Result<Option<Wanted>> {
        // A folder that is there is meant, not what is called the same in the registry.
        let is_path = !text.contains('@') && self.file.resolve(text.as_ref()).exists();
        let wanted = (!is_path).then(|| Wanted::parse(text)).flatten().transpose();
        match wanted? {
            // Without a registry a bare name can only have been meant as a path.
            Some(_) if !text.contains('@') && self.releases.registry().is_err() => Ok(None),
            wanted => Ok(wanted),
        }
    }

    /// A plugin's configuration as it is told, once it fits the plugin's schema.
    pub(crate) fn config(&self, plugin: &Plugin, key: &[&str], config: &toml::Table) -> Result<String> {
        let whose = key.iter().take(2).copied().collect::<Vec<_>>().join(".");
        let text = json(config).map_err(|e| self.file.locate(key, e))?;
        let place = key.first().map_or_else(String::new, |table| format!("[{table}]"));
        if !plugin.roles().iter().any(|role| role.place() == place) {
            // It is in the wrong place, which matters more: binding it says so.
            return Ok(text);
        }
        let problem = |misfit: &Misfit| {
            let key: Vec<&str> = key.iter().copied().chain(misfit.path.iter().map(String::as_str)).collect();
            let error = Error::invalid(format!("{whose}: plugin {}: {misfit}", plugin.description().name));
            self.file.locate(&key, error).report()
        };
        let problems: Vec<String> = plugin.check_config(&text)?.iter().map(problem).collect();
        if problems.is_empty() { Ok(text) } else { Err(Error::invalid(problems.join("\n"))) }
    }

    /// What goes along with a step's plugin: another one beside it, and newer versions of itself.
    pub(super) async fn accompany(
        &self,
        name: &str,
        follow: bool,
        wanted: Option<Wanted>,
        terms: Terms,
        bound: &BoundPlugin,
    ) -> Result<()> {
        self.bind_beside(name, terms.clone(), bound).await?;
        // What runs beside it is compared with one version.
        match follow && self.shadow.is_none() {
            true => self
                .follow(name, wanted, terms, bound)
                .map_err(|e| self.file.locate(&["steps", name, "follow"], e)),
            false => Ok(()),
        }
    }

    /// Begins to follow the plugin of a step, if the query runs.
    fn follow(&self, name: &str, wanted: Option<Wanted>, terms: Terms, bound: &BoundPlugin) -> Result<()> {
        let wanted = wanted.ok_or_else(|| {
            Error::invalid("follow = true is for a plugin of the registry; write plugin = \"name@^1.2\"")
        })?;
        if self.releases.is_running() {
            let current = self.releases.choose(name, &wanted)?;
            self.follower.follow(name, Followed::new(wanted, current, terms, bound.clone()));
        }
        Ok(())
    }
}

/// Both are of one step, and so either keep state or keep none.
fn refuse_other_state(step: &BoundPlugin, beside: &BoundPlugin) -> Result<()> {
    let (BoundPlugin::Keyed(step), BoundPlugin::Keyed(beside)) = (step, beside) else { return Ok(()) };
    match beside.continues(&step.identity())? {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "it is {}, and cannot begin with the state of {}",
            beside.identity(),
            step.identity()
        ))),
    }
}

/// What a pipeline runs of the registry; nothing is chosen yet.
pub(super) fn releases(file: &PipelineFile, world: &World) -> Releases {
    let policy = Policy::default().and(file.settings.require_signed_by.iter().copied());
    let checkpoint = file.settings.checkpoint.as_ref().map(|path| {
        let path = file.resolve(path);
        // Whoever reads it later may be in another directory.
        if stores::address(&path).is_some() { path } else { std::path::absolute(&path).unwrap_or(path) }
    });
    Releases::new(world.registry.clone(), policy, checkpoint)
}
