//! Rows in a file.

use super::{Bound, held::column, lost, sorting};
use arrow::{
    array::{ArrayRef, AsArray, BinaryArray, RecordBatch, UInt64Array},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, UInt64Type},
};
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};
use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs::{File, OpenOptions},
    io::{BufReader, BufWriter, Seek},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

/// The columns of rows in a file: the key; input and partition as one number; the piece and the row in it as one number; and the
/// columns of the input.
pub(super) struct Layout {
    pub(super) input: SchemaRef,
    stored: SchemaRef,
}

/// How many columns are in front of those of the input.
const FRONT: usize = 3;

impl Layout {
    pub(super) fn new(input: &SchemaRef) -> Self {
        let front = [("key", DataType::Binary), ("from", DataType::UInt64), ("place", DataType::UInt64)];
        let front = front.map(|(name, of)| Arc::new(Field::new(name, of, false)));
        let fields: Vec<FieldRef> = front.into_iter().chain(input.fields().iter().cloned()).collect();
        Layout { input: input.clone(), stored: Arc::new(Schema::new(fields)) }
    }

    /// Rows as a file has them.
    pub(super) fn chunk(
        &self,
        keys: BinaryArray,
        from: UInt64Array,
        places: UInt64Array,
        rows: &RecordBatch,
    ) -> Result<RecordBatch> {
        let front = [column(keys), column(from), column(places)];
        let columns: Vec<ArrayRef> = front.into_iter().chain(rows.columns().iter().cloned()).collect();
        sorting(RecordBatch::try_new(self.stored.clone(), columns))
    }

    /// The rows of a chunk without what is in front of them, and where they were.
    pub(super) fn split(&self, chunk: &RecordBatch) -> Result<(RecordBatch, UInt64Array)> {
        let columns = chunk.columns().get(FRONT..).unwrap_or_default().to_vec();
        let rows = sorting(crate::schema::assemble(&self.input, columns, chunk.num_rows()))?;
        let places = chunk.columns().get(2).and_then(|places| places.as_primitive_opt::<UInt64Type>());
        Ok((rows, places.cloned().ok_or_else(lost)?))
    }
}

/// Rows in order, in a file that has no name: it is gone once nobody has it open, however that comes about.
pub(super) struct Run(File);

impl Run {
    /// Writes rows, which are in order.
    pub(super) fn write(
        layout: &Layout,
        bound: &Bound,
        chunks: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<Run> {
        let doing = || {
            format!(
                "rows of an epoch that take more than {} bytes are sorted in {}, where there is to be room (TMPDIR names another place; \
                 limits.memory of the step lets more of them be in memory)",
                bound.most,
                bound.scratch.display()
            )
        };
        let failed = |e: arrow::error::ArrowError| Error::new(Kind::Unavailable, doing()).caused_by(e);
        let file = nameless(&bound.scratch).doing(Kind::Unavailable, doing)?;
        let mut to = StreamWriter::try_new(BufWriter::new(file), &layout.stored).map_err(failed)?;
        for chunk in chunks {
            to.write(&chunk?).map_err(failed)?;
        }
        let file = to.into_inner().map_err(failed)?.into_inner();
        let mut file = file.map_err(std::io::IntoInnerError::into_error).doing(Kind::Unavailable, doing)?;
        file.rewind().doing(Kind::Unavailable, doing)?;
        Ok(Run(file))
    }
}

/// A new file that only we can reach.
fn nameless(folder: &Path) -> std::io::Result<File> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let path = folder.join(format!("streamhost-{:016x}.rows", u64::from_ne_bytes(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Where a merge is in a run.
pub(super) struct Cursor {
    reader: StreamReader<BufReader<File>>,
    /// What was read last, and the columns of it that are compared.
    pub(super) chunk: RecordBatch,
    keys: BinaryArray,
    from: UInt64Array,
    pub(super) row: usize,
}

impl Cursor {
    /// At the first row; none if there is none.
    pub(super) fn new(run: Run) -> Result<Option<Self>> {
        let reader = StreamReader::try_new(BufReader::new(run.0), None).doing(Kind::Unavailable, reading)?;
        let none = RecordBatch::new_empty(reader.schema());
        let (keys, from) = (BinaryArray::from_vec(Vec::new()), UInt64Array::from(Vec::<u64>::new()));
        let mut cursor = Cursor { reader, chunk: none, keys, from, row: 0 };
        Ok(cursor.read()?.then_some(cursor))
    }

    /// The key of the row that it is at, and which input and partition it is of.
    pub(super) fn head(&self) -> (&[u8], u64) {
        (self.keys.value(self.row), self.from.value(self.row))
    }

    /// Goes to the next row. False at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.row += 1;
        if self.row < self.chunk.num_rows() { Ok(true) } else { self.read() }
    }

    /// Whether the last row that was asked for was the first of its chunk.
    fn read(&mut self) -> Result<bool> {
        while let Some(chunk) = self.reader.next().transpose().doing(Kind::Unavailable, reading)? {
            if chunk.num_rows() > 0 {
                let keys = chunk.columns().first().and_then(|keys| keys.as_binary_opt::<i32>());
                let from = chunk.columns().get(1).and_then(|from| from.as_primitive_opt::<UInt64Type>());
                self.keys = keys.cloned().ok_or_else(lost)?;
                self.from = from.cloned().ok_or_else(lost)?;
                (self.chunk, self.row) = (chunk, 0);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn reading() -> &'static str {
    "reading rows again that were sorted in a file"
}
