//! The job as a plain program without streamhost would do it: two threads, each reads every other file of JSON with
//! Arrow's reader, filters, divides and writes one Parquet file. It syncs nothing and remembers nothing.

use crate::kernels;
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    json::ReaderBuilder,
};
use engine::{Error, Kind, Result, ResultExt};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use std::{
    error::Error as StdError,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

/// The argument that makes the bench this program: it is to be a process of its own.
pub(crate) const COMMAND: &str = "native";

const THREADS: usize = 2;

/// Converts the files of `input` into Parquet in `output`, which is made.
pub(crate) fn run(input: &Path, output: &Path) -> Result<()> {
    let unavailable = || format!("converting {} to {}", input.display(), output.display());
    let files = files(input).doing(Kind::Unavailable, unavailable)?;
    fs::create_dir_all(output).doing(Kind::Unavailable, unavailable)?;
    thread::scope(|scope| {
        let start = |thread: usize| {
            let mine = files.iter().skip(thread).step_by(THREADS);
            let output = output.join(format!("{thread}.parquet"));
            scope.spawn(move || convert(mine, &output).map_err(|e| e.to_string()))
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().try_for_each(|thread| {
            let done = thread.join().map_err(|_| Error::internal("a thread panicked"))?;
            done.doing(Kind::Unavailable, unavailable)
        })
    })
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files =
        fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    Ok(files)
}

fn convert<'a>(files: impl Iterator<Item = &'a PathBuf>, output: &Path) -> Result<(), Box<dyn StdError>> {
    let schema = kernels::keep_and_divide(&RecordBatch::new_empty(schema()))?.schema();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(File::create(output)?, schema, Some(properties))?;
    for file in files {
        let text = BufReader::with_capacity(1 << 20, File::open(file)?);
        for rows in ReaderBuilder::new(self::schema()).with_batch_size(8_192).build(text)? {
            writer.write(&kernels::keep_and_divide(&rows?)?)?;
        }
    }
    writer.close()?;
    Ok(())
}

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("user_id", DataType::Int32),
        ("event", DataType::Utf8),
        ("event_time", time),
        ("value", DataType::Float64),
        ("category", DataType::Utf8),
    ];
    let fields: Vec<Field> = columns.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
    Arc::new(Schema::new(fields))
}
