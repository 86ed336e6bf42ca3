use super::{
    Registry, folder,
    index::is_release,
    manifest::Manifest,
    name::{PluginName, Release, parse_version},
    package,
    sign::{Policy, Signatures},
};
use engine::{Error, Result};

impl Registry {
    /// Everything that is wrong with a release: a line each. None if every file is what was added, and every signature its own.
    pub fn verify(&self, release: &Release) -> Result<Vec<String>> {
        let folder = self.existing(release)?;
        let (manifest, digest) = match Manifest::read(&folder, Some(release)) {
            Ok(read) => read,
            Err(error) => return Ok(vec![error.report()]),
        };
        let mut wrong = Vec::new();
        let mut note = |checked: Result<()>| wrong.extend(checked.err().map(|e| e.report()));
        note(self.refuse_edited(release, &digest));
        note(package::refuse_others(&folder, &manifest));
        for (path, expected) in &manifest.files {
            note(package::verified(&folder, path, expected));
        }
        note(Signatures::read(&folder).and_then(|signatures| signatures.check(&manifest)).map(drop));
        note(self.admitted(release, &manifest, &Policy::default()).map(drop));
        wrong.dedup();
        Ok(wrong)
    }

    /// The same of every release, and what stands among them that is none.
    pub fn verify_all(&self) -> Result<Vec<String>> {
        let mut wrong: Vec<String> = self.strangers()?.iter().map(Error::report).collect();
        for release in self.folders()? {
            wrong.extend(self.verify(&release)?);
        }
        Ok(wrong)
    }

    /// Folders that stand where releases do and are none.
    fn strangers(&self) -> Result<Vec<Error>> {
        const KNOWN: [&str; 2] = ["index.json", "registry.toml"];
        let mut strangers = Vec::new();
        for name in folder::names(&self.dir)? {
            let path = self.dir.join(&name);
            if name.starts_with('.') || KNOWN.contains(&name.as_str()) {
                continue;
            }
            if PluginName::parse(&name).is_err() || !folder::is_folder(&path) {
                strangers.push(Error::data(format!("{} is no plugin; move it away", path.display())));
                continue;
            }
            for version in folder::names(&path)? {
                let path = path.join(&version);
                if parse_version(&version).is_err() {
                    strangers.push(Error::data(format!(
                        "{} is no version of a plugin; move it away",
                        path.display()
                    )));
                } else if !is_release(&path) {
                    strangers.push(Error::data(format!(
                        "{} is half written: it has no manifest, and nobody uses it; `streamhost plugin gc` removes it",
                        path.display()
                    )));
                }
            }
        }
        Ok(strangers)
    }
}
