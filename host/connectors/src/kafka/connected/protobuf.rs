//! Messages of Protocol Buffers to columns, by the schemas of a registry.

use super::{
    part::Trouble,
    registry::{Registry, Schema, framed},
};
use crate::formats::{
    columns::{Column, Columns, Values},
    ddl,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use engine::{Error, Kind as ErrorKind, Result, ResultExt};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
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
    known: HashMap<(u32, Vec<usize>), Option<MessageDescriptor>>,
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
        let Some((path, body)) = indexes(rest) else {
            return Ok(trouble("it does not say which message of its schema it is", 5));
        };
        let Some(descriptor) = self.descriptor(id, path)? else {
            return Ok(trouble("the registry does not know its schema", 1));
        };
        match DynamicMessage::decode(descriptor, body) {
            Ok(message) => put_message(&message, cells),
            Err(_) => return Ok(trouble("it is not what its schema says", message.len() - body.len())),
        }
        Ok(None)
    }

    fn descriptor(&mut self, id: u32, path: Vec<usize>) -> Result<Option<MessageDescriptor>> {
        if let Some(known) = self.known.get(&(id, path.clone())) {
            return Ok(known.clone());
        }
        let schema = self.registry.schema(id)?;
        let descriptor = schema.and_then(|schema| message_of(&schema, &path).ok());
        self.known.insert((id, path), descriptor.clone());
        Ok(descriptor)
    }
}

fn trouble(what: &'static str, at: usize) -> Option<Trouble> {
    Some(Trouble { what: what.into(), keeps: false, at })
}

/// Which message of its file it is, and what comes behind that.
fn indexes(bytes: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let (count, mut rest) = zigzag(bytes)?;
    if count == 0 {
        return Some((vec![0], rest));
    }
    let mut path = Vec::new();
    for _ in 0..usize::try_from(count).ok().filter(|count| *count <= DEPTH)? {
        let (index, next) = zigzag(rest)?;
        path.push(usize::try_from(index).ok()?);
        rest = next;
    }
    Some((path, rest))
}

/// A whole number of variable length.
fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i64 ^ -((value & 1) as i64), bytes.get(at + 1..)?));
        }
    }
    None
}

/// Fields that the columns do not know are left out; those that are not set are NULL.
fn put_message(message: &DynamicMessage, columns: &mut Columns) {
    for (field, value) in message.fields() {
        if let Some(cell) = columns.index_of(field.name()).and_then(|index| columns.cell(index)) {
            put(value, &field.kind(), cell);
        }
    }
}

/// Appends a value; one that does not fit the column, as the schema has changed, is NULL.
fn put(value: &Value, kind: &Kind, cell: &mut Column) {
    match (value, &mut cell.values) {
        (Value::Bool(v), Values::Boolean(to)) => to.push(*v),
        (Value::I32(v), Values::Int32(to)) => to.push(*v),
        (Value::I32(v), Values::Int64(to)) => to.push((*v).into()),
        (Value::I64(v), Values::Int64(to)) => to.push(*v),
        (Value::U32(v), Values::Int64(to)) => to.push((*v).into()),
        (Value::U64(v), Values::Decimal { values, .. }) => values.push((*v).into()),
        (Value::F32(v), Values::Float32(to)) => to.push(*v),
        (Value::F32(v), Values::Float64(to)) => to.push((*v).into()),
        (Value::F64(v), Values::Float64(to)) => to.push(*v),
        (Value::String(v), Values::Text(_)) => return cell.push_bytes(v.as_bytes()),
        (Value::Bytes(v), Values::Binary(_)) => return cell.push_bytes(v),
        (Value::EnumNumber(number), Values::Text(_)) => {
            let name = match kind {
                Kind::Enum(of) => of.get_value(*number).map(|value| value.name().to_owned()),
                _ => None,
            };
            return cell.push_bytes(name.unwrap_or_else(|| number.to_string()).as_bytes());
        }
        (Value::Message(message), Values::Timestamp { values, .. }) => values.push(micros(message)),
        (Value::Message(message), Values::Struct(columns)) => {
            put_message(message, columns);
            columns.end_row();
        }
        (Value::List(all), Values::List { ends, items, .. }) => {
            all.iter().for_each(|value| put(value, kind, items));
            ends.push(items.len() as i32);
        }
        (Value::Map(all), Values::Map { ends, entries, .. }) => {
            put_map(all, kind, entries);
            ends.push(entries.rows() as i32);
        }
        _ => return cell.push_null(),
    }
    cell.appended();
}

/// In the order of keys, which a map does not have, and a replay needs.
fn put_map(all: &HashMap<MapKey, Value>, kind: &Kind, entries: &mut Columns) {
    let Kind::Message(entry) = kind else { return };
    let of = entry.map_entry_value_field().kind();
    let mut sorted: Vec<(&MapKey, &Value)> = all.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    for (key, value) in sorted {
        if let (MapKey::String(key), Some(cell)) = (key, entries.cell(0)) {
            cell.push_bytes(key.as_bytes());
        }
        if let Some(cell) = entries.cell(1) {
            put(value, &of, cell);
        }
        entries.end_row();
    }
}

/// Microseconds of a `google.protobuf.Timestamp`.
fn micros(time: &DynamicMessage) -> i64 {
    let part = |number| match time.get_field_by_number(number).as_deref() {
        Some(Value::I64(seconds)) => *seconds,
        Some(Value::I32(nanos)) => i64::from(*nanos),
        _ => 0,
    };
    part(1).saturating_mul(1_000_000).saturating_add(part(2) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_by_indexes_which_one_of_its_file_it_is() {
        assert_eq!(indexes(&[0, 9]), Some((vec![0], &[9][..])));
        assert_eq!(indexes(&[4, 2, 6, 9]), Some((vec![1, 3], &[9][..])));
        assert_eq!(indexes(&[4, 2]), None);
        assert_eq!(indexes(&[0xff; 12]), None);
    }
}
