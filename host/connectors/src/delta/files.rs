//! The data files of a table: written as rows come, known to nobody until a commit names them.

use super::stats;
use crate::{
    files::sink::names::{NULL_FOLDER, hive_safe},
    formats::{
        encode::{
            Codec,
            cell::{Style, cells},
        },
        parquet::encode as parquet_encode,
    },
    stores::failed,
};
use arrow::{
    array::{Array, RecordBatch, UInt32Array},
    compute::take_record_batch,
    datatypes::{Schema, SchemaRef},
};
use deltalake_core::kernel::Add;
use engine::{Error, Kind, Result, ResultExt};
use jiff::tz::TimeZone;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, path::Path as ObjectPath};
use parquet::arrow::ArrowWriter;
use std::{
    collections::HashMap,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// How many files of one lane are open at most; the one written longest ago is closed for another.
const OPEN_FILES: usize = 64;

/// How much the files of one lane hold in memory at most, in bytes.
const HELD_BYTES: usize = 48 << 20;

/// What is sent to an object store as one piece, which must not be less than 5 MiB.
const PART_BYTES: usize = 8 << 20;

/// What is the same for all files of an epoch.
pub(super) struct Layout {
    store: Arc<dyn ObjectStore>,
    codec: Codec,
    /// Begins the names of the files.
    prefix: String,
    /// Partition columns: their index in what is written, and their names.
    folders: Vec<(usize, String)>,
    /// The columns that are in the files.
    columns: Vec<usize>,
    /// The same.
    pub(super) file_schema: SchemaRef,
}

/// The partition that a file belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Partition(pub(super) Vec<(String, Option<String>)>);

impl Layout {
    /// For rows with the columns `written`. [`Kind::Invalid`] if a partition column is not among them.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        written: &Schema,
        partition_by: &[String],
        codec: Codec,
        prefix: String,
    ) -> Result<Self> {
        let folders = partition_by.iter().map(|name| Ok((column(written, name)?, name.clone())));
        let folders = folders.collect::<Result<Vec<_>>>()?;
        let in_path = |i: &usize| folders.iter().any(|(at, _)| at == i);
        let columns: Vec<usize> = (0..written.fields().len()).filter(|i| !in_path(i)).collect();
        let file_schema = written.project(&columns).doing(Kind::Internal, || "the columns of a file")?;
        parquet_encode::accepts(&file_schema)?;
        Ok(Layout { store, codec, prefix, folders, columns, file_schema: Arc::new(file_schema) })
    }

    /// The partition columns, in order.
    pub(super) fn partition_columns(&self) -> impl Iterator<Item = &str> {
        self.folders.iter().map(|(_, name)| name.as_str())
    }

    /// Rows by the partition they belong to, in the order in which partitions first occur.
    pub(super) fn split(&self, rows: &RecordBatch) -> Result<Vec<(Partition, RecordBatch)>> {
        let doing = || "dividing rows by partition-by";
        let file_rows = rows.project(&self.columns).doing(Kind::Internal, doing)?;
        if self.folders.is_empty() {
            return Ok(vec![(Partition::default(), file_rows)]);
        }
        let part = |(partition, rows)| {
            let part =
                take_record_batch(&file_rows, &UInt32Array::from(rows)).doing(Kind::Internal, doing)?;
            Ok((partition, part))
        };
        grouped(self.partitions(rows)?).into_iter().map(part).collect()
    }

    fn partitions(&self, rows: &RecordBatch) -> Result<Vec<Partition>> {
        let style = Style { zone: TimeZone::UTC, iso: false };
        let mut partitions = vec![Partition::default(); rows.num_rows()];
        let mut text = String::new();
        for (index, name) in &self.folders {
            let column = rows.column(*index);
            let cell = cells(column, &style)?;
            for (row, partition) in partitions.iter_mut().enumerate() {
                text.clear();
                if column.is_valid(row) {
                    cell(row, &mut text);
                }
                // An empty text means NULL in the log.
                partition.0.push((name.clone(), Some(text.clone()).filter(|text| !text.is_empty())));
            }
        }
        Ok(partitions)
    }
}

fn column(schema: &Schema, name: &str) -> Result<usize> {
    let found = schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        Error::invalid(format!("the Delta table is divided by {name}, which the rows do not have; add it"))
    })
}

fn grouped(partitions: Vec<Partition>) -> Vec<(Partition, Vec<u32>)> {
    let mut groups: Vec<(Partition, Vec<u32>)> = Vec::new();
    let mut known: HashMap<Partition, usize> = HashMap::new();
    for (row, partition) in (0..).zip(partitions) {
        let group = *known.entry(partition).or_insert_with_key(|partition| {
            groups.push((partition.clone(), Vec::new()));
            groups.len() - 1
        });
        groups.get_mut(group).into_iter().for_each(|(_, rows)| rows.push(row));
    }
    groups
}

impl Partition {
    /// The directory of its files, with a `/` at its end; nothing if there are no partitions.
    fn folder(&self) -> String {
        let part = |(name, value): &(String, Option<String>)| {
            let value = value.as_deref().map_or_else(|| NULL_FOLDER.to_owned(), hive_safe);
            format!("{}={value}/", hive_safe(name))
        };
        self.0.iter().map(part).collect()
    }
}

/// Writes rows one after the other, each partition to a file of its own.
pub(super) struct Lane {
    /// Tells its files from those of others.
    number: u32,
    open: HashMap<Partition, OpenFile>,
    finished: Vec<Add>,
    files: u32,
    clock: u64,
}

struct OpenFile {
    path: ObjectPath,
    writer: ArrowWriter<Buffer>,
    buffer: Buffer,
    upload: Option<Box<dyn MultipartUpload>>,
    sent: usize,
    written_at: u64,
}

impl Lane {
    pub(super) fn new(number: u32) -> Self {
        Lane { number, open: HashMap::new(), finished: Vec::new(), files: 0, clock: 0 }
    }

    /// Appends rows with all columns.
    pub(super) async fn write(&mut self, layout: &Layout, rows: &RecordBatch) -> Result<()> {
        for (partition, rows) in layout.split(rows)? {
            self.write_to(layout, partition, &rows).await?;
        }
        Ok(())
    }

    /// Appends rows with the columns of files.
    pub(super) async fn write_to(
        &mut self,
        layout: &Layout,
        partition: Partition,
        rows: &RecordBatch,
    ) -> Result<()> {
        self.clock += 1;
        if !self.open.contains_key(&partition) {
            self.make_room(layout).await?;
            self.files += 1;
            let name = format!("{}-{}-{}", layout.prefix, self.number, self.files);
            self.open.insert(partition.clone(), OpenFile::new(layout, &partition, &name)?);
        }
        let Some(file) = self.open.get_mut(&partition) else { return Ok(()) };
        file.written_at = self.clock;
        parquet_encode::write(&mut file.writer, rows)?;
        file.send(layout, PART_BYTES).await?;
        self.bound_memory(layout).await
    }

    /// Ends the file of a partition once it has about so many bytes.
    pub(super) async fn close_at(
        &mut self,
        layout: &Layout,
        partition: &Partition,
        bytes: usize,
    ) -> Result<()> {
        match self.open.get(partition).is_some_and(|file| file.bytes() >= bytes) {
            true => self.close(layout, partition).await,
            false => Ok(()),
        }
    }

    /// Ends every file, and answers what was written, in the order of the names.
    pub(super) async fn finish(&mut self, layout: &Layout) -> Result<Vec<Add>> {
        let mut partitions: Vec<Partition> = self.open.keys().cloned().collect();
        partitions.sort();
        for partition in partitions {
            self.close(layout, &partition).await?;
        }
        Ok(std::mem::take(&mut self.finished))
    }

    /// What is there of its files so far, to be deleted, and uploads to be aborted.
    pub(super) fn abandon(self) -> (Vec<ObjectPath>, Vec<Box<dyn MultipartUpload>>) {
        let finished = self.finished.iter().filter_map(|add| ObjectPath::parse(&add.path).ok());
        (finished.collect(), self.open.into_values().filter_map(|file| file.upload).collect())
    }

    async fn make_room(&mut self, layout: &Layout) -> Result<()> {
        if self.open.len() < OPEN_FILES {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, file)| file.written_at).map(|(of, _)| of.clone());
        match oldest {
            Some(oldest) => self.close(layout, &oldest).await,
            None => Ok(()),
        }
    }

    async fn bound_memory(&mut self, layout: &Layout) -> Result<()> {
        let held: usize = self.open.values().map(OpenFile::held).sum();
        if held <= HELD_BYTES {
            return Ok(());
        }
        let fullest = self.open.values_mut().max_by_key(|file| file.held());
        let Some(fullest) = fullest else { return Ok(()) };
        fullest.writer.flush().doing(Kind::Unavailable, || format!("writing {}", fullest.path))?;
        fullest.send(layout, PART_BYTES).await
    }

    async fn close(&mut self, layout: &Layout, partition: &Partition) -> Result<()> {
        if let Some(file) = self.open.remove(partition) {
            self.finished.push(file.close(layout, partition).await?);
        }
        Ok(())
    }
}

impl OpenFile {
    fn new(layout: &Layout, partition: &Partition, name: &str) -> Result<Self> {
        let extension = match layout.codec {
            Codec::None => "parquet",
            Codec::Snappy => "snappy.parquet",
            Codec::Gzip => "gz.parquet",
            Codec::Zstd => "zstd.parquet",
        };
        let path = format!("{}{name}.{extension}", partition.folder());
        let path = ObjectPath::parse(&path).doing(Kind::Data, || format!("a file called {path}"))?;
        let buffer = Buffer::default();
        let writer = parquet_encode::writer(&layout.file_schema, layout.codec, buffer.clone())?;
        Ok(OpenFile { path, writer, buffer, upload: None, sent: 0, written_at: 0 })
    }

    /// Bytes in memory.
    fn held(&self) -> usize {
        self.writer.memory_size() + self.buffer.len()
    }

    /// Bytes of the file if it ended now, about.
    fn bytes(&self) -> usize {
        self.sent + self.buffer.len() + self.writer.in_progress_size()
    }

    /// Sends what has been encoded, if it is enough for a piece.
    async fn send(&mut self, layout: &Layout, least: usize) -> Result<()> {
        if self.buffer.len() < least {
            return Ok(());
        }
        let doing = || format!("writing {}", self.path);
        if self.upload.is_none() {
            let begun = layout.store.put_multipart(&self.path).await;
            self.upload = Some(begun.map_err(|e| failed(doing(), e))?);
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let part = self.buffer.take();
        self.sent += part.len();
        upload.put_part(part.into()).await.map_err(|e| failed(doing(), e))
    }

    async fn close(mut self, layout: &Layout, partition: &Partition) -> Result<Add> {
        let doing = format!("writing {}", self.path);
        let metadata = self.writer.finish().doing(Kind::Unavailable, || doing.clone())?;
        let rest = self.buffer.take();
        let bytes = self.sent + rest.len();
        match &mut self.upload {
            None => drop(layout.store.put(&self.path, rest.into()).await.map_err(|e| failed(doing, e))?),
            Some(upload) => {
                if !rest.is_empty() {
                    upload.put_part(rest.into()).await.map_err(|e| failed(doing.clone(), e))?;
                }
                upload.complete().await.map_err(|e| failed(doing, e))?;
            }
        }
        Ok(Add {
            path: self.path.to_string(),
            partition_values: partition.0.iter().cloned().collect(),
            size: bytes as i64,
            data_change: true,
            stats: Some(stats::of_file(&metadata)),
            ..Add::default()
        })
    }
}

/// What the encoder has put out and is not sent yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
