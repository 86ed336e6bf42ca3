//! The columns of files that nobody has named.

use super::{
    listing::{FileEntry, Location, unreadable},
    opened::Opened,
    path_columns::parts,
    read::{compression_of, format_of},
    settings::{FileFormat, FilesSettings},
};
use crate::formats::{
    infer::{LineSampler, Shape, type_of_text},
    lines::{Block, LineReader, lines},
    parquet::decode::schema_of,
};
use arrow::datatypes::{DataType, Field, Schema};
use engine::{Error, Result};
use std::path::Path;

/// How many bytes of each, when it is made of lines.
const SAMPLE: usize = 1 << 20;

/// The columns of `files`, those of their directories' names last. Of files made of lines, their beginnings are looked at.
pub(crate) fn schema_of_files(
    files: &[FileEntry],
    location: &Location,
    settings: &FilesSettings,
) -> Result<Schema> {
    let mut discovery = Discovery::default();
    for file in files {
        match discovery.look_at(file, location, settings) {
            Err(error) if settings.skips(&error) => {
                tracing::error!(error = error.report(), "not looked at for columns");
            }
            looked => looked?,
        }
    }
    discovery.schema().ok_or_else(|| {
        Error::invalid(format!(
            "path {}: no data to infer a schema from; set `schema` to the columns, such as \"id INT, name STRING\"",
            settings.path.display()
        ))
    })
}

#[derive(Default)]
struct Discovery {
    shape: Shape,
    /// The columns that a format names itself.
    named: Vec<Field>,
    parts: Vec<Field>,
}

impl Discovery {
    fn look_at(&mut self, file: &FileEntry, location: &Location, settings: &FilesSettings) -> Result<()> {
        let full = location.full(&file.path);
        for (name, value) in parts(&file.path) {
            let kind = value.map_or(DataType::Utf8, |text| type_of_text(&text));
            match self.parts.iter_mut().find(|f| *f.name() == name) {
                Some(known) if *known.data_type() != kind => *known = Field::new(name, DataType::Utf8, true),
                Some(_) => {}
                None => self.parts.push(Field::new(name, kind, true)),
            }
        }
        match format_of(settings, &full)? {
            FileFormat::Text => self.name(&Field::new("value", DataType::Utf8, true)),
            FileFormat::Parquet => {
                let file = location.open(&file.path).map_err(|e| unreadable(&full, e))?;
                schema_of(&file, &full)?.fields().iter().for_each(|f| self.name(f));
            }
            format => {
                let opened = location.open(&file.path).map_err(|e| unreadable(&full, e))?;
                self.sample(format, &opened, &full, settings)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, field: &Field) {
        if !self.named.iter().any(|f| f.name() == field.name()) {
            self.named.push(field.clone());
        }
    }

    fn sample(
        &mut self,
        format: FileFormat,
        file: &Opened,
        full: &Path,
        settings: &FilesSettings,
    ) -> Result<()> {
        let io = |e| unreadable(full, e);
        let mut sampler = match format {
            FileFormat::Csv => LineSampler::csv(&settings.csv.clone().unwrap_or_default())?,
            _ => LineSampler::json(),
        };
        let bytes = compression_of(settings, full).reader(file).map_err(io)?;
        let longest = usize::try_from(settings.max_line_bytes.0).unwrap_or(usize::MAX);
        let mut reader = LineReader::new(bytes, longest);
        let mut seen = 0;
        while seen < SAMPLE
            && let Some(block) = reader.next().map_err(io)?
        {
            let Block::Lines(block) = block else { continue };
            seen += block.len();
            lines(block).for_each(|line| sampler.see(line, &mut self.shape));
        }
        Ok(())
    }

    /// None if there was nothing to see.
    fn schema(self) -> Option<Schema> {
        let mut fields = self.named;
        for field in self.shape.schema().fields() {
            if !fields.iter().any(|f| f.name() == field.name()) {
                fields.push(field.as_ref().clone());
            }
        }
        if fields.is_empty() {
            return None;
        }
        fields.retain(|f| !self.parts.iter().any(|p| p.name() == f.name()));
        fields.extend(self.parts);
        Some(Schema::new(fields))
    }
}
