use super::{folder, manifest::COMPONENT, sign::Signatures, *};
use crate::load::digest;
use engine::{Error, Kind, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::Mutex,
};
use tempfile::TempDir;

fn registry() -> (TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::new(dir.path().join("registry"));
    (dir, registry)
}

/// A package whose component is just these bytes: nothing here runs it.
fn package(release: &str, component: &str) -> Package {
    let Release { name, version } = Release::parse(release).unwrap();
    let files: BTreeMap<String, Vec<u8>> =
        [(COMPONENT, component), ("README.md", "# read me"), ("tests/a.toml", "")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into();
    let manifest = Manifest {
        name: name.to_string(),
        version: version.to_string(),
        summary: format!("Does {component}."),
        worlds: vec!["stateless".into()],
        deterministic: true,
        asks: Vec::new(),
        contract: "0.9.0".into(),
        files: files.iter().map(|(path, bytes)| (path.clone(), digest(bytes))).collect(),
    };
    Package { manifest, files, signatures: Signatures::default() }
}

fn release(text: &str) -> Release {
    Release::parse(text).unwrap()
}

fn wanted(text: &str) -> Wanted {
    Wanted::parse(text).unwrap().unwrap()
}

fn quietly(_: &str) {}

fn add(registry: &Registry, release: &str, component: &str) -> Result<Added, Error> {
    registry.add(&package(release, component), &quietly)
}

fn names(registry: &Registry) -> Vec<String> {
    registry.list().unwrap().into_iter().map(|listed| listed.release.to_string()).collect()
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, kind: Kind, words: &str) {
    let error = result.err().expect("it was to be refused");
    assert!(error.kind() == kind && error.report().contains(words), "{:?} {}", error.kind(), error.report());
}

#[test]
fn a_release_is_added_once_and_never_changes() {
    let (_dir, registry) = registry();
    assert_eq!(add(&registry, "a@1.0.0", "one").unwrap(), Added::New);
    assert_eq!(add(&registry, "a@1.0.0", "one").unwrap(), Added::Same);
    refused(
        add(&registry, "a@1.0.0", "two"),
        Kind::Invalid,
        "another component.wasm: a version never changes",
    );
    assert_eq!(add(&registry, "a@1.1.0", "two").unwrap(), Added::New);
    assert_eq!(names(&registry), ["a@1.0.0", "a@1.1.0"]);
    assert_eq!(registry.verify_all().unwrap(), [""; 0]);
    let there = folder::files(&registry.folder(&release("a@1.0.0"))).unwrap();
    assert_eq!(there, ["README.md", "component.wasm", "plugin.toml", "tests/a.toml"]);
}

#[test]
fn the_newest_version_that_fits_is_chosen_and_a_compatible_one_succeeds_it() {
    let (_dir, registry) = registry();
    for version in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0"] {
        add(&registry, &format!("a@{version}"), version).unwrap();
    }
    let chosen = |text: &str| registry.resolve(&wanted(text)).map(|found| found.release.version.to_string());
    assert_eq!(chosen("a").unwrap(), "2.0.0");
    assert_eq!(chosen("a@1").unwrap(), "1.10.0");
    assert_eq!(chosen("a@1.2.0").unwrap(), "1.2.0");
    refused(chosen("a@3"), Kind::Invalid, "it has 1.0.0, 1.2.0, 1.10.0, 2.0.0-rc.1, 2.0.0");
    refused(chosen("b"), Kind::Invalid, "which has a;");
    let next = |text: &str, of: &str| registry.successor(&wanted(text), &release(of)).unwrap();
    let version = |found: Option<Found>| found.map(|found| found.release.version.to_string());
    assert_eq!(version(next("a", "a@1.0.0")).as_deref(), Some("1.10.0"));
    assert_eq!(next("a@<1.2", "a@1.0.0"), None);
    assert_eq!(next("a", "a@2.0.0"), None);
    registry.yank(&release("a@1.10.0"), "drops rows").unwrap();
    assert_eq!(chosen("a@1").unwrap(), "1.2.0");
    assert_eq!(version(next("a", "a@1.0.0")).as_deref(), Some("1.2.0"));
    assert_eq!(registry.info(&release("a@1.10.0")).unwrap().yanked.as_deref(), Some("drops rows"));
    registry.unyank(&release("a@1.10.0")).unwrap();
    assert_eq!(chosen("a@1").unwrap(), "1.10.0");
}

#[test]
fn words_are_searched_for_in_names_and_summaries() {
    let (_dir, registry) = registry();
    add(&registry, "fraud-score@1.0.0", "Scoring").unwrap();
    add(&registry, "mask@1.0.0", "hashes").unwrap();
    let found = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        registry.search(&words).unwrap().len()
    };
    assert_eq!((found(&["SCORING"]), found(&["fraud", "does"]), found(&["stateless"])), (1, 1, 2));
    assert_eq!(found(&["fraud", "hashes"]), 0);
}

#[test]
fn an_add_that_is_interrupted_leaves_nothing_that_anybody_sees_and_the_next_one_clears_up() {
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    let step = |at: &str| {
        if at == "staged" {
            std::panic::resume_unwind(Box::new("killed"));
        }
    };
    let killed = std::panic::AssertUnwindSafe(|| registry.add(&package("a@2.0.0", "two"), &step).map(drop));
    assert!(std::panic::catch_unwind(killed).is_err());
    assert_eq!(names(&registry), ["a@1.0.0"]);
    assert_eq!(folder::names(&registry.staging()).unwrap(), ["a@2.0.0"]);
    add(&registry, "b@1.0.0", "three").unwrap();
    assert_eq!(folder::names(&registry.staging()).unwrap(), [""; 0]);
    add(&registry, "a@2.0.0", "two").unwrap();
    assert_eq!(names(&registry), ["a@1.0.0", "a@2.0.0", "b@1.0.0"]);
}

#[tokio::test]
async fn a_folder_that_is_half_there_is_told_of_and_collected() {
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    let half = registry.folder(&release("a@1.1.0"));
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join(COMPONENT), "ha").unwrap();
    fs::create_dir_all(registry.dir().join("empty")).unwrap();
    fs::create_dir_all(registry.staging().join("b@1.0.0")).unwrap();
    fs::write(registry.dir().join("stranger"), "").unwrap();
    assert_eq!(names(&registry), ["a@1.0.0"]);
    let wrong = registry.verify_all().unwrap();
    assert!(wrong.len() == 2 && wrong[0].contains("1.1.0 is half written"), "{wrong:?}");
    assert!(wrong[1].contains("stranger is no plugin"), "{wrong:?}");
    let gone = registry.collect(false, async |_: &Pin| Ok(None)).await.unwrap();
    assert_eq!(gone, ["b@1.0.0, half written", "a@1.1.0, half written"]);
    assert!(!half.exists() && !registry.dir().join("empty").exists());
    assert_eq!(registry.resolve(&wanted("a")).unwrap().release, release("a@1.0.0"));
}

#[test]
fn the_index_follows_from_the_folders_whatever_becomes_of_it() {
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    add(&registry, "b@1.0.0", "two").unwrap();
    let (index, listed) = (registry.dir().join("index.json"), registry.list().unwrap());
    for text in ["", "{", "{\"version\":9,\"plugins\":{}}", "{\"version\":1,\"plugins\":{}}"] {
        fs::write(&index, text).unwrap();
        assert_eq!(registry.list().unwrap(), listed, "{text}");
    }
    fs::remove_file(&index).unwrap();
    assert_eq!(registry.list().unwrap(), listed);
    add(&registry, "c@1.0.0", "three").unwrap();
    fs::remove_dir_all(registry.dir().join("b")).unwrap();
    assert_eq!(names(&registry), ["a@1.0.0", "c@1.0.0"]);
}

#[test]
fn whatever_is_changed_by_hand_is_found() {
    let edit = |path: &'static str, text: &'static str, words: &'static str| {
        let (_dir, registry) = registry();
        add(&registry, "a@1.0.0", "one").unwrap();
        fs::write(registry.folder(&release("a@1.0.0")).join(path), text).unwrap();
        let wrong = registry.verify(&release("a@1.0.0")).unwrap();
        assert!(wrong.iter().any(|wrong| wrong.contains(words)), "{path}: {wrong:?}");
    };
    edit(COMPONENT, "two", "component.wasm is not what was added");
    edit("README.md", "# other", "README.md is not what was added");
    edit("tests/b.toml", "", "is not among the files that plugin.toml names");
    edit("plugin.toml", "name = 'a'", "was damaged or changed by hand");
    edit("plugin.sig", "[[signatures]]", "was damaged or changed by hand");
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    let manifest = registry.folder(&release("a@1.0.0")).join("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("Does one", "Does two")).unwrap();
    assert!(registry.verify(&release("a@1.0.0")).unwrap()[0].contains("was changed since it was added"));
    fs::write(&manifest, text.replace("1.0.0", "1.0.1")).unwrap();
    assert!(registry.verify(&release("a@1.0.0")).unwrap()[0].contains("stands in the folder of a@1.0.0"));
    fs::write(&manifest, text.replace("tests/a.toml", "../../b")).unwrap();
    assert!(registry.verify(&release("a@1.0.0")).unwrap()[0].contains("cannot be a file of a plugin"));
}

#[test]
fn a_link_is_not_followed() {
    let (dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, "one").unwrap();
    let component = registry.folder(&release("a@1.0.0")).join(COMPONENT);
    fs::remove_file(&component).unwrap();
    symlink(&outside, &component).unwrap();
    let wrong = registry.verify(&release("a@1.0.0")).unwrap();
    assert!(wrong.iter().any(|wrong| wrong.contains("is a link or no file")), "{wrong:?}");
    fs::rename(registry.folder(&release("a@1.0.0")), dir.path().join("moved")).unwrap();
    symlink(dir.path().join("moved"), registry.folder(&release("a@1.0.0"))).unwrap();
    assert_eq!(names(&registry), [""; 0]);
}

#[tokio::test]
async fn what_a_checkpoint_needs_stays() {
    let (_dir, registry) = registry();
    let a = release("a@1.0.0");
    add(&registry, "a@1.0.0", "one").unwrap();
    add(&registry, "b@1.0.0", "two").unwrap();
    let found = registry.found(a.clone()).unwrap();
    registry.pin("/ckpt", [(a.clone(), found.digest.clone())]).unwrap();
    let needs = |answer: Result<Option<BTreeSet<String>>, Kind>| {
        let answer = Mutex::new(Some(answer));
        async move |pin: &Pin| {
            assert_eq!(pin.checkpoint, "/ckpt");
            let answer = answer.lock().unwrap().take().unwrap();
            answer.map_err(|kind| Error::new(kind, "the checkpoint is away"))
        }
    };
    let needed = BTreeSet::from([found.digest]);
    refused(registry.remove(&a, needs(Ok(Some(needed)))).await, Kind::Invalid, "checkpoint /ckpt needs it");
    refused(registry.remove(&a, needs(Err(Kind::Unavailable))).await, Kind::Unavailable, "cannot be told");
    assert_eq!(names(&registry), ["a@1.0.0", "b@1.0.0"]);
    registry.remove(&a, needs(Ok(Some(BTreeSet::new())))).await.unwrap();
    assert_eq!(names(&registry), ["b@1.0.0"]);
    refused(registry.found(a), Kind::Invalid, "which has no version of it");
    let gone = registry.collect(false, needs(Ok(None))).await.unwrap();
    assert_eq!(gone, ["the pin of checkpoint /ckpt, which is gone"]);
    assert_eq!(registry.pins().unwrap(), []);
}

#[tokio::test]
async fn yanked_versions_that_nobody_needs_are_collected_on_request() {
    let (_dir, registry) = registry();
    for (version, component) in [("1.0.0", "one"), ("1.1.0", "two"), ("1.2.0", "three")] {
        add(&registry, &format!("a@{version}"), component).unwrap();
    }
    let needed = registry.found(release("a@1.0.0")).unwrap();
    registry.pin("/ckpt", [(needed.release.clone(), needed.digest.clone())]).unwrap();
    registry.yank(&release("a@1.0.0"), "").unwrap();
    registry.yank(&release("a@1.1.0"), "").unwrap();
    let digests = BTreeSet::from([needed.digest]);
    assert_eq!(registry.collect(false, async |_: &Pin| Ok(Some(digests.clone()))).await.unwrap(), [""; 0]);
    let gone = registry.collect(true, async |_: &Pin| Ok(Some(digests.clone()))).await.unwrap();
    assert_eq!(gone, ["a@1.1.0, yanked"]);
    assert_eq!(names(&registry), ["a@1.0.0", "a@1.2.0"]);
}

fn key(dir: &TempDir, name: &str) -> SigningKey {
    let path = dir.path().join(name);
    SigningKey::create(&path).unwrap();
    SigningKey::read(&path).unwrap()
}

fn trusted(registry: &Registry, text: &str, policy: &Policy) -> Result<Vec<PublicKey>, Error> {
    let release = release(text);
    let (manifest, _) = Manifest::read(&registry.folder(&release), Some(&release)).unwrap();
    registry.admitted(&release, &manifest, policy)
}

#[test]
fn a_signature_that_is_asked_for_has_to_be_there_right_and_of_these_bytes() {
    let (dir, registry) = registry();
    let (ours, other) = (key(&dir, "ours"), key(&dir, "other"));
    add(&registry, "a@1.0.0", "one").unwrap();
    let policy = Policy::default().and([ours.public().unwrap()]);
    refused(trusted(&registry, "a@1.0.0", &policy), Kind::Invalid, "and it is not signed");
    registry.sign(&release("a@1.0.0"), &other, Timestamp(1)).unwrap();
    refused(trusted(&registry, "a@1.0.0", &policy), Kind::Invalid, "and it is signed by ed25519:");
    registry.sign(&release("a@1.0.0"), &ours, Timestamp(1)).unwrap();
    assert_eq!(trusted(&registry, "a@1.0.0", &policy).unwrap().len(), 2);
    assert_eq!(registry.verify_all().unwrap(), [""; 0]);
    // The policies of the registry and of a pipeline both count.
    let both = policy.clone().and([key(&dir, "third").public().unwrap()]);
    assert!(trusted(&registry, "a@1.0.0", &both).is_err());
    // A signature of another version.
    add(&registry, "a@1.1.0", "one").unwrap();
    let signature = |version: &str| registry.folder(&release(version)).join("plugin.sig");
    fs::copy(signature("a@1.0.0"), signature("a@1.1.0")).unwrap();
    refused(trusted(&registry, "a@1.1.0", &Policy::default()), Kind::Data, "was changed after it was signed");
    let text = fs::read_to_string(signature("a@1.0.0")).unwrap();
    fs::write(signature("a@1.0.0"), text.replace("serial = 1\n", "serial = 9\n")).unwrap();
    refused(trusted(&registry, "a@1.0.0", &Policy::default()), Kind::Data, "was changed after it was signed");
}

#[test]
fn a_registry_that_asks_for_signatures_takes_nothing_without() {
    let (dir, registry) = registry();
    let (ours, other) = (key(&dir, "ours"), key(&dir, "other"));
    fs::create_dir_all(registry.dir()).unwrap();
    let rules = format!("require-signed-by = [\"{}\"]\n", ours.public().unwrap());
    fs::write(registry.dir().join("registry.toml"), &rules).unwrap();
    refused(add(&registry, "a@1.0.0", "one"), Kind::Invalid, "and it is not signed");
    let signed = |key: &SigningKey, at| {
        let mut package = package("a@1.0.0", "one");
        package.sign(key, Timestamp(at)).unwrap();
        package
    };
    refused(registry.add(&signed(&other, 1), &quietly), Kind::Invalid, "and it is signed by");
    assert_eq!(registry.add(&signed(&ours, 1), &quietly).unwrap(), Added::New);
    assert_eq!(trusted(&registry, "a@1.0.0", &Policy::default()).unwrap(), [ours.public().unwrap()]);
    fs::write(registry.dir().join("registry.toml"), "require-signed-by = ['x']").unwrap();
    refused(trusted(&registry, "a@1.0.0", &Policy::default()), Kind::Invalid, "is no public key");
    fs::write(registry.dir().join("registry.toml"), "require-signed = []").unwrap();
    refused(trusted(&registry, "a@1.0.0", &Policy::default()), Kind::Invalid, "unknown field");
}

#[tokio::test]
async fn a_signature_that_is_replayed_is_refused() {
    let (dir, registry) = registry();
    let ours = key(&dir, "ours");
    let signed = |release: &str, component: &str, at| {
        let mut package = package(release, component);
        package.sign(&ours, Timestamp(at)).unwrap();
        package
    };
    registry.add(&signed("a@1.0.0", "with a hole", 10), &quietly).unwrap();
    registry.add(&signed("a@1.1.0", "mended", 20), &quietly).unwrap();
    registry.remove(&release("a@1.0.0"), async |_: &Pin| Ok(None)).await.unwrap();
    let replayed = registry.add(&signed("a@1.0.0", "with a hole", 10), &quietly);
    refused(replayed, Kind::Invalid, "is older than one that this registry has seen");
    refused(registry.add(&signed("a@1.2.0", "older", 15), &quietly), Kind::Invalid, "is older than one");
    // Another plugin has serials of its own, and who signs again means it.
    registry.add(&signed("b@1.0.0", "other", 5), &quietly).unwrap();
    registry.add(&signed("a@1.0.0", "with a hole", 30), &quietly).unwrap();
    // An older signature put back over a newer one.
    let path = registry.folder(&release("a@1.1.0")).join("plugin.sig");
    let older = fs::read(&path).unwrap();
    registry.sign(&release("a@1.1.0"), &ours, Timestamp(40)).unwrap();
    trusted(&registry, "a@1.1.0", &Policy::default()).unwrap();
    fs::write(&path, older).unwrap();
    refused(trusted(&registry, "a@1.1.0", &Policy::default()), Kind::Data, "is an older one than was there");
    // The clock of the machine went back: the serial rises all the same.
    registry.sign(&release("a@1.1.0"), &ours, Timestamp(1)).unwrap();
    trusted(&registry, "a@1.1.0", &Policy::default()).unwrap();
}

#[test]
fn nobody_signs_what_was_changed() {
    let (dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    fs::write(registry.folder(&release("a@1.0.0")).join(COMPONENT), "two").unwrap();
    let signed = registry.sign(&release("a@1.0.0"), &key(&dir, "ours"), Timestamp(1));
    refused(signed, Kind::Data, "is not what was added");
}

#[test]
fn two_who_add_at_once_both_succeed_and_one_of_them_is_first() {
    let (_dir, registry) = registry();
    let added = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| added.lock().unwrap().push(add(&registry, "a@1.0.0", "one").unwrap()));
            threads.spawn(|| add(&registry, "b@1.0.0", "two").unwrap());
        }
    });
    assert_eq!(added.into_inner().unwrap().iter().filter(|added| **added == Added::New).count(), 1);
    assert_eq!(names(&registry), ["a@1.0.0", "b@1.0.0"]);
    assert_eq!(registry.verify_all().unwrap(), [""; 0]);
}

#[test]
fn a_registry_that_cannot_be_written_to_can_be_read() {
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    fs::remove_file(registry.dir().join("index.json")).unwrap();
    let mode = |mode| fs::set_permissions(registry.dir(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    assert_eq!(names(&registry), ["a@1.0.0"]);
    registry.resolve(&wanted("a")).unwrap();
    mode(0o755);
}

#[tokio::test]
async fn a_change_is_told_of_and_a_look_is_not() {
    let (_dir, registry) = registry();
    add(&registry, "a@1.0.0", "one").unwrap();
    let watch = registry.watch().unwrap();
    add(&registry, "a@1.1.0", "two").unwrap();
    watch.changed().await;
    registry.resolve(&wanted("a")).unwrap();
}
