//! A crash at each step of a commit, as an image of the disk at that moment.

use super::*;
use std::sync::Mutex;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Takes an image of the output at each step.
#[derive(Clone, Default)]
struct Camera(Arc<Mutex<Vec<(String, tempfile::TempDir)>>>);

impl Camera {
    fn take(&self, step: &str, output: &Path) {
        let image = tempfile::tempdir().unwrap();
        copy(output, image.path());
        self.0.lock().unwrap().push((step.to_owned(), image));
    }

    fn at_step(&self, output: &Path) -> Option<AtStep> {
        let (camera, output) = (self.clone(), output.to_owned());
        Some(Arc::new(move |step: &str| camera.take(step, &output)))
    }

    fn images(&self) -> Vec<(String, tempfile::TempDir)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The output at each step of the commit of epoch 1, epoch 0 being committed, and in the middle of its rows.
async fn images() -> Vec<(String, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let camera = Camera::default();
    run(&sink(dir.path()), 0).await.unwrap();
    let sink =
        sink_with(dir.path(), FileSinkOptions { at_step: camera.at_step(dir.path()), ..Default::default() });
    let writer = writer(&sink, &begin_of(1)).await.unwrap();
    camera.take("begun", dir.path());
    write(writer.as_ref(), rows_of(1)).await.unwrap();
    camera.take("written", dir.path());
    writer.commit().await.unwrap();
    camera.take("done", dir.path());
    camera.images()
}

#[tokio::test]
async fn the_steps_of_a_commit_are_those_that_a_crash_test_can_name() {
    let images = images().await;
    let steps: Vec<_> = images.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(
        steps,
        [
            "begun",
            "written",
            "staged",
            "manifest-written",
            "renamed-one",
            "renamed-one",
            "renamed-all",
            "done"
        ]
    );
}

#[tokio::test]
async fn before_recovery_a_reader_sees_whole_files_and_no_row_twice() {
    for (step, image) in images().await {
        let seen = plain(image.path());
        let mut distinct = seen.clone();
        distinct.dedup();
        assert_eq!(seen, distinct, "{step}");
        assert!(values_of(0..1).iter().all(|v| seen.contains(v)), "{step}");
        let through = by_manifest(image.path());
        let whole = if ["begun", "written", "staged"].contains(&step.as_str()) { 1 } else { 2 };
        assert_eq!(through, values_of(0..whole), "{step}: manifests show an epoch whole or not at all");
    }
}

#[tokio::test]
async fn after_recovery_a_replay_leaves_every_row_once() {
    for (step, image) in images().await {
        let recovered = sink(image.path());
        recovered.open(&query(), SINK).await.unwrap();
        assert_eq!(staging(image.path()), [""; 0], "{step}");
        let before = plain(image.path());
        assert!(before == values_of(0..1) || before == values_of(0..2), "{step}: {before:?}");
        for epoch in 1..3 {
            let token = run(&recovered, epoch).await.unwrap();
            assert_eq!((&token.0["rows"], &token.0["files"]), (&6.into(), &2.into()), "{step}");
        }
        assert_eq!(plain(image.path()), values_of(0..3), "{step}");
        assert_eq!(by_manifest(image.path()), values_of(0..3), "{step}");
    }
}

#[tokio::test]
async fn a_crash_during_recovery_is_recovered_from() {
    for (step, image) in images().await {
        let camera = Camera::default();
        let options = FileSinkOptions { at_step: camera.at_step(image.path()), ..Default::default() };
        sink_with(image.path(), options).open(&query(), SINK).await.unwrap();
        for (_, again) in camera.images() {
            let recovered = sink(again.path());
            recovered.open(&query(), SINK).await.unwrap();
            run(&recovered, 1).await.unwrap();
            assert_eq!(plain(again.path()), values_of(0..2), "{step}");
        }
    }
}

#[tokio::test]
async fn a_replay_gives_files_the_same_names() {
    let mut listings: Vec<Vec<PathBuf>> = Vec::new();
    for (_, image) in images().await {
        let recovered = sink(image.path());
        recovered.open(&query(), SINK).await.unwrap();
        run(&recovered, 1).await.unwrap();
        let relative = |path: &PathBuf| path.strip_prefix(image.path()).unwrap().to_owned();
        listings.push(visible(image.path()).iter().map(relative).collect());
    }
    let expected: [PathBuf; 4] = ["q1-0-out-0-0", "q1-0-out-1-0", "q1-1-out-0-0", "q1-1-out-1-0"]
        .map(|n| format!("{n}.parquet").into());
    listings.iter().for_each(|listing| assert_eq!(*listing, expected));
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&sink(dir.path()), &begin_of(0)).await.unwrap();
    write(writer.as_ref(), rows_of(0)).await.unwrap();
    drop(writer);
    assert_eq!(staging(dir.path()), [""; 0]);
    assert_eq!(visible(dir.path()), [""; 0].map(PathBuf::from));
}
