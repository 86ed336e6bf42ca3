//! Messages of Protocol Buffers to columns, by the schemas of a registry.

mod plan;
mod wire;

use self::{
    plan::Plan,
    wire::{unzigzag, varint},
};
use super::{
    part::Trouble,
    registry::{Registry, Schema, framed},
};
use crate::formats::{columns::Columns, ddl};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use engine::{Error, Kind as ErrorKind, Result, ResultExt};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use std::{collections::HashMap, sync::Arc};

/// How deep messages may lie in one another: a type that holds itself has no end.
const DEPTH: usize = 16;

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The columns that the first message of a schema makes.
pub(super) fn columns(schema: &Schema) -> Result<ArrowSchema> {
    let message = message_of(schema, &[0])?;
    Ok(ArrowSchema::new(fields(&message, 0)?))
}

fn fields(message: &MessageDescriptor, depth: usize) -> Result<Vec<Field>> {
    if depth > DEPTH {
        return Err(Error::invalid(format!(
            "message {} holds itself, or lies too deep; a column has an end",
            message.full_name()
        )));
    }
    message.fields().map(|field| Ok(Field::new(field.name(), type_of(&field, depth)?, true))).collect()
}

fn type_of(field: &FieldDescriptor, depth: usize) -> Result<DataType> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Err(Error::internal("a map without entries")) };
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        if key.kind() != Kind::String {
            return Err(Error::invalid(format!(
                "{}: the keys of a map have to be strings to be read",
                field.full_name()
            )));
        }
        return Ok(ddl::map_of(DataType::Utf8, kind_type(&value.kind(), depth + 1)?));
    }
    let kind = kind_type(&field.kind(), depth + 1)?;
    Ok(if field.is_list() { ddl::array_of(kind) } else { kind })
}

fn kind_type(kind: &Kind, depth: usize) -> Result<DataType> {
    Ok(match kind {
        Kind::Double => DataType::Float64,
        Kind::Float => DataType::Float32,
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => DataType::Int32,
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint32 | Kind::Fixed32 => DataType::Int64,
        Kind::Uint64 | Kind::Fixed64 => DataType::Decimal128(20, 0),
        Kind::Bool => DataType::Boolean,
        Kind::String | Kind::Enum(_) => DataType::Utf8,
        Kind::Bytes => DataType::Binary,
        Kind::Message(message) if message.full_name() == TIMESTAMP => ddl::timestamp(),
        Kind::Message(message) => DataType::Struct(fields(message, depth)?.into()),
    })
}

/// The files of a schema: its own, those it imports, and Google's.
struct Files {
    own: String,
    imports: Vec<(String, String)>,
}

/// The name of a schema's own file, which the registry does not give it.
const OWN: &str = "schema.proto";

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        let imported = self.imports.iter().find(|(of, _)| of == name).map(|(_, text)| text);
        match imported.or((name == OWN).then_some(&self.own)) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn pool(schema: &Schema) -> Result<DescriptorPool> {
    let mut files = ChainFileResolver::new();
    files.add(Files { own: schema.text.clone(), imports: schema.imports.clone() });
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler
        .include_imports(true)
        .open_file(OWN)
        .doing(ErrorKind::Invalid, || format!("schema {} of the registry is no Protobuf", schema.id))?;
    Ok(compiler.descriptor_pool())
}

/// The message that a path of indexes leads to.
fn message_of(schema: &Schema, path: &[usize]) -> Result<MessageDescriptor> {
    let pool = pool(schema)?;
    let file = pool.get_file_by_name(OWN);
    let (first, inner) = path.split_first().map_or((0, path), |(first, inner)| (*first, inner));
    let outer = file.and_then(|file| file.messages().nth(first));
    let found = inner.iter().fold(outer, |outer, index| outer?.child_messages().nth(*index));
    found.ok_or_else(|| {
        Error::invalid(format!("schema {} of the registry has no message {path:?}", schema.id))
    })
}

/// Reads messages of Protocol Buffers.
pub(super) struct ProtobufRow {
    registry: Arc<Registry>,
    /// By id of the schema and the bytes that say which message of it; none of what nobody knows.
    known: HashMap<u32, HashMap<Box<[u8]>, Option<Plan>>>,
}

impl ProtobufRow {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        ProtobufRow { registry, known: HashMap::new() }
    }

    /// Reads a message into the cells of a row.
    pub(super) fn read(&mut self, message: &[u8], cells: &mut Columns) -> Result<Option<Trouble>> {
        let Some((id, rest)) = framed(message) else {
            return Ok(trouble("it does not begin with the id of a schema", 0));
        };
        let Some(body) = behind_indexes(rest) else {
            return Ok(trouble("it does not say which message of its schema it is", 5));
        };
        let which = rest.get(..rest.len() - body.len()).unwrap_or_default();
        let Some(plan) = self.plan(id, which, cells)? else {
            return Ok(trouble("the registry does not know its schema", 1));
        };
        match plan.read(body, cells) {
            Some(()) => Ok(None),
            None => Ok(trouble("it is not what its schema says", message.len() - body.len())),
        }
    }

    fn plan(&mut self, id: u32, which: &[u8], cells: &Columns) -> Result<Option<&Plan>> {
        let known = self.known.entry(id).or_default();
        if !known.contains_key(which) {
            let schema = self.registry.schema(id)?;
            let message = schema.and_then(|schema| message_of(&schema, &indexes(which)?).ok());
            known.insert(which.into(), message.map(|message| Plan::new(&message, cells)));
        }
        Ok(known.get(which).and_then(Option::as_ref))
    }
}

fn trouble(what: &'static str, at: usize) -> Option<Trouble> {
    Some(Trouble { what: what.into(), keeps: false, at })
}

/// What comes behind the indexes that say which message of its file it is.
fn behind_indexes(bytes: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = varint(bytes)?;
    let count = usize::try_from(unzigzag(count)).ok().filter(|count| *count <= DEPTH)?;
    for _ in 0..count {
        (_, rest) = varint(rest)?;
    }
    Some(rest)
}

/// The indexes themselves; none stand for the first message.
fn indexes(bytes: &[u8]) -> Option<Vec<usize>> {
    let (_, mut rest) = varint(bytes)?;
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (index, next) = varint(rest)?;
        path.push(usize::try_from(unzigzag(index)).ok()?);
        rest = next;
    }
    Some(if path.is_empty() { vec![0] } else { path })
}

#[cfg(test)]
mod tests;
