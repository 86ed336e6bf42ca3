//! `dlq replay`.

use crate::{
    cli::DlqReplay,
    process,
    progress::{HoldAt, Shown, Watch},
    run,
};
use engine::{Kind, Progress, Result, ResultExt};
use pipeline::dead_letters::{self, Replay};
use std::{
    path::{Path, absolute},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Counts letters.
#[derive(Default)]
struct Counted {
    /// `<sink>: `, as the progress begins what it says of the sink of the letters.
    sink: String,
    read: AtomicU64,
    again: AtomicU64,
}

impl Watch for Arc<Counted> {
    fn progress(&self, progress: &Progress) {
        self.read.fetch_add(progress.num_input_rows, Relaxed);
        let again = progress.sinks.iter().filter(|sink| sink.description.starts_with(&self.sink));
        self.again.fetch_add(again.map(|sink| sink.num_output_rows).sum(), Relaxed);
    }
}

/// `streamhost dlq replay`.
pub(crate) fn replay(args: &DlqReplay, registry: Option<&Path>) -> Result<()> {
    let file = run::read(&args.pipeline)?;
    let checkpoint = args.checkpoint.as_ref().map(|path| {
        // A flag's path starts at the working directory, not at the file's folder.
        absolute(path).doing(Kind::Invalid, || format!("--checkpoint {}", path.display()))
    });
    let what =
        Replay { sink: args.sink.clone(), column: args.column.clone(), checkpoint: checkpoint.transpose()? };
    let counted = Arc::new(Counted { sink: format!("{}: ", args.sink), ..Counted::default() });
    process::block_on(async {
        let hold = Arc::new(HoldAt::new(process::environment("STREAMHOST_HOLD_AT")));
        let mut world = process::world(registry)?;
        let at_step = hold.clone();
        world.at_step = Some(Arc::new(move |step| at_step.step(step)));
        let replay = Arc::new(dead_letters::replay(&file, &world, &what).await?);
        let shown = Shown { watch: vec![Box::new(counted.clone())], hold };
        let query = pipeline::query(&replay, &world, Arc::new(shown))?;
        query.run(&process::stop_on_signal()?).await
    })?;
    let (read, again) = (counted.read.load(Relaxed), counted.again.load(Relaxed));
    let letters = if read == 1 { "letter" } else { "letters" };
    crate::print(&format!("put through {read} dead {letters}; {again} failed again\n"))
}
