//! From the fields of messages to cells of columns.

use super::{
    TIMESTAMP,
    wire::{Fields, Scalar, Wire, each_scalar, scalar},
};
use crate::formats::columns::{Column, Columns, Values};
use arrow::datatypes::{DataType, Fields as ArrowFields};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use std::{borrow::Cow, collections::BTreeMap};

/// How messages of one type become rows of some columns. What the columns do not know is left out, and what a message does not have
/// is NULL.
pub(super) struct Plan {
    /// By number.
    fields: Vec<Field>,
}

struct Field {
    number: u32,
    column: usize,
    kind: Kind,
    shape: Shape,
    /// The columns of fields of which a message has no more than one together with this.
    others: Vec<usize>,
}

enum Shape {
    /// A value; whether it says nothing if it is what a field has that is not there.
    One {
        implicit: bool,
    },
    Many,
    Time,
    Message(Plan),
    Messages(Plan),
    Times,
    /// Of its values those that are messages themselves.
    Map(Box<Shape>, Kind),
}

impl Plan {
    /// For messages of this type, whose fields go to the columns of the same names.
    pub(super) fn new(message: &MessageDescriptor, columns: &Columns) -> Self {
        Plan::with(message, columns.fields(), |name| columns.index_of(name))
    }

    fn with(
        message: &MessageDescriptor,
        columns: &ArrowFields,
        index_of: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let field = |field: FieldDescriptor| {
            let column = index_of(field.name())?;
            let shape = shape(&field, columns.get(column)?.data_type());
            let together =
                field.containing_oneof().map(|of| of.fields().collect::<Vec<_>>()).unwrap_or_default();
            let others = together.iter().filter(|other| other.number() != field.number());
            let others = others.filter_map(|other| index_of(other.name())).collect();
            Some(Field { number: field.number(), column, kind: field.kind(), shape, others })
        };
        let mut fields: Vec<Field> = message.fields().filter_map(field).collect();
        fields.sort_by_key(|field| field.number);
        Plan { fields }
    }

    fn of_struct(kind: &Kind, to: &DataType) -> Self {
        match (kind, to) {
            (Kind::Message(message), DataType::Struct(fields)) => {
                Plan::with(message, fields, |name| fields.iter().position(|field| field.name() == name))
            }
            _ => Plan { fields: Vec::new() },
        }
    }

    /// Writes a message into the cells of a row that has not ended. None if it is no message of this type.
    pub(super) fn read(&self, message: &[u8], columns: &mut Columns) -> Option<()> {
        for field in Fields(message) {
            let (number, wire) = field?;
            if let Ok(at) = self.fields.binary_search_by_key(&number, |field| field.number)
                && let Some(field) = self.fields.get(at)
            {
                field.read(wire, message, columns)?;
            }
        }
        // Values of a repeated field may stand apart: only now all of them are there.
        for field in self.fields.iter().filter(|field| field.shape.is_list()) {
            if let Some(cell) = columns.cell(field.column) {
                cell.end_list();
            }
        }
        Some(())
    }
}

fn shape(field: &FieldDescriptor, to: &DataType) -> Shape {
    let kind = field.kind();
    match (to, &kind) {
        (DataType::Map(entries, _), Kind::Message(entry)) if field.is_map() => {
            let of = entry.map_entry_value_field().kind();
            let to = match entries.data_type() {
                DataType::Struct(pair) => pair.get(1).map(|value| value.data_type()),
                _ => None,
            };
            Shape::Map(Box::new(one(&of, to.unwrap_or(&DataType::Null), false)), of)
        }
        (DataType::List(item), Kind::Message(message)) if field.is_list() => match is_time(message) {
            true => Shape::Times,
            false => Shape::Messages(Plan::of_struct(&kind, item.data_type())),
        },
        _ if field.is_list() => Shape::Many,
        _ => one(&kind, to, !field.supports_presence()),
    }
}

fn one(kind: &Kind, to: &DataType, implicit: bool) -> Shape {
    match kind {
        Kind::Message(message) if is_time(message) => Shape::Time,
        Kind::Message(_) => Shape::Message(Plan::of_struct(kind, to)),
        _ => Shape::One { implicit },
    }
}

fn is_time(message: &MessageDescriptor) -> bool {
    message.full_name() == TIMESTAMP
}

impl Shape {
    fn is_list(&self) -> bool {
        matches!(self, Shape::Many | Shape::Messages(_) | Shape::Times)
    }
}

impl Field {
    /// Writes what stands in a message for it.
    fn read(&self, wire: Wire<'_>, message: &[u8], columns: &mut Columns) -> Option<()> {
        // A message, and a map, are read once, with all that the message has of them.
        let whole = matches!(self.shape, Shape::Message(_) | Shape::Time | Shape::Map(..));
        if whole && columns.is_written(self.column) {
            return Some(());
        }
        // The last one of a `oneof` is the one that counts.
        for other in &self.others {
            columns.cell(*other);
        }
        let Some(cell) = columns.cell(self.column) else { return Some(()) };
        match &self.shape {
            Shape::One { implicit } => {
                let value = scalar(&self.kind, wire)?;
                match *implicit && value.is_default() {
                    true => cell.push_null(),
                    false => put(value, &self.kind, cell),
                }
            }
            Shape::Many => {
                let Some(items) = cell.items() else { return Some(()) };
                each_scalar(&self.kind, wire, |value| put(value, &self.kind, items))?;
            }
            Shape::Messages(plan) => {
                let Some(items) = cell.items() else { return Some(()) };
                put_message(plan, bytes(wire)?, items)?;
            }
            Shape::Times => {
                let Some(items) = cell.items() else { return Some(()) };
                put_time(bytes(wire)?, items)?;
            }
            Shape::Time => put_time(&self.together(message, bytes(wire)?)?, cell)?,
            Shape::Message(plan) => put_message(plan, &self.together(message, bytes(wire)?)?, cell)?,
            Shape::Map(shape, kind) => self.put_map(shape, kind, message, cell)?,
        }
        Some(())
    }

    /// A message that stands in parts in the one around it is what these are one after the other.
    fn together<'m>(&self, message: &'m [u8], first: &'m [u8]) -> Option<Cow<'m, [u8]>> {
        let mut whole = Cow::Borrowed(first);
        for field in Fields(message).skip_while(|field| !self.is(field, first)).skip(1) {
            if let (number, Wire::Bytes(part)) = field?
                && number == self.number
            {
                whole.to_mut().extend_from_slice(part);
            }
        }
        Some(whole)
    }

    /// Whether it is this part of the message.
    fn is(&self, field: &Option<(u32, Wire<'_>)>, part: &[u8]) -> bool {
        matches!(field, Some((number, Wire::Bytes(bytes))) if *number == self.number && std::ptr::eq(*bytes, part))
    }

    /// By key, as a map has no order and a replay needs one; of a key that is there twice the last value counts.
    fn put_map(&self, shape: &Shape, kind: &Kind, message: &[u8], cell: &mut Column) -> Option<()> {
        let mut all: BTreeMap<&str, Option<Wire<'_>>> = BTreeMap::new();
        for field in Fields(message) {
            let (number, wire) = field?;
            if number == self.number {
                let (key, value) = entry(bytes(wire)?)?;
                all.insert(key, value);
            }
        }
        let Values::Map { ends, entries, .. } = &mut cell.values else {
            cell.push_null();
            return Some(());
        };
        for (key, value) in all {
            if let Some(cell) = entries.cell(0) {
                cell.push_bytes(key.as_bytes());
            }
            if let Some(cell) = entries.cell(1) {
                put_value(shape, kind, value, cell)?;
            }
            entries.end_row();
        }
        ends.push(entries.rows() as i32);
        cell.appended();
        Some(())
    }
}

fn bytes(wire: Wire<'_>) -> Option<&[u8]> {
    match wire {
        Wire::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Key and value of a map's entry. Either may be missing, and is what a field has that is not there.
fn entry(message: &[u8]) -> Option<(&str, Option<Wire<'_>>)> {
    let (mut key, mut value) = ("", None);
    for field in Fields(message) {
        match field? {
            (1, Wire::Bytes(bytes)) => key = std::str::from_utf8(bytes).ok()?,
            (2, wire) => value = Some(wire),
            _ => {}
        }
    }
    Some((key, value))
}

/// The value of a map's entry.
fn put_value(shape: &Shape, kind: &Kind, wire: Option<Wire<'_>>, cell: &mut Column) -> Option<()> {
    match shape {
        Shape::Time => put_time(bytes(wire.unwrap_or(Wire::Bytes(&[])))?, cell),
        Shape::Message(plan) => put_message(plan, bytes(wire.unwrap_or(Wire::Bytes(&[])))?, cell),
        _ => {
            put(scalar(kind, wire.unwrap_or(nothing(kind)))?, kind, cell);
            Some(())
        }
    }
}

/// What a field of this kind would be with its default value.
fn nothing(kind: &Kind) -> Wire<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Wire::Bytes(&[]),
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Wire::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Wire::Fixed32(0),
        _ => Wire::Varint(0),
    }
}

fn put_message(plan: &Plan, message: &[u8], cell: &mut Column) -> Option<()> {
    let Values::Struct(columns) = &mut cell.values else {
        cell.push_null();
        return Some(());
    };
    plan.read(message, columns)?;
    columns.end_row();
    cell.appended();
    Some(())
}

/// Of a `google.protobuf.Timestamp`.
fn put_time(message: &[u8], cell: &mut Column) -> Option<()> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in Fields(message) {
        match field? {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanos = i64::from(value as i32),
            (1 | 2, _) => return None,
            _ => {}
        }
    }
    let Values::Timestamp { values, .. } = &mut cell.values else {
        cell.push_null();
        return Some(());
    };
    values.push(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000));
    cell.appended();
    Some(())
}

/// Appends a value; one that does not fit the column, as the schema has changed, is NULL.
fn put(value: Scalar<'_>, kind: &Kind, cell: &mut Column) {
    match (value, &mut cell.values) {
        (Scalar::Bool(v), Values::Boolean(to)) => to.push(v),
        (Scalar::I32(v), Values::Int32(to)) => to.push(v),
        (Scalar::I32(v), Values::Int64(to)) => to.push(v.into()),
        (Scalar::I64(v), Values::Int64(to)) => to.push(v),
        (Scalar::U32(v), Values::Int64(to)) => to.push(v.into()),
        (Scalar::U64(v), Values::Decimal { values, .. }) => values.push(v.into()),
        (Scalar::F32(v), Values::Float32(to)) => to.push(v),
        (Scalar::F32(v), Values::Float64(to)) => to.push(v.into()),
        (Scalar::F64(v), Values::Float64(to)) => to.push(v),
        (Scalar::Text(v), Values::Text(_)) => return cell.push_bytes(v.as_bytes()),
        (Scalar::Bytes(v), Values::Binary(_)) => return cell.push_bytes(v),
        (Scalar::Enum(number), Values::Text(_)) => return put_enum(number, kind, cell),
        _ => return cell.push_null(),
    }
    cell.appended();
}

/// A number without a name is written as it is.
fn put_enum(number: i32, kind: &Kind, cell: &mut Column) {
    let of = |of: &EnumDescriptor| of.get_value(number);
    match if let Kind::Enum(kind) = kind { of(kind) } else { None } {
        Some(value) => cell.push_bytes(value.name().as_bytes()),
        None => cell.push_bytes(number.to_string().as_bytes()),
    }
}
