//! Which Rust type is which column.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, BinaryArray, BooleanArray, PrimitiveArray, StringArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::{Date, Timestamp};

/// The type of a row's field.
pub trait FieldType {
    /// Whether the column may be null.
    const NULLABLE: bool = false;

    /// The column's type.
    fn data_type() -> DataType;
}

/// A field that is read from a column.
pub trait ReadField<'a>: FieldType + Sized {
    /// The column, as the array of its type.
    type Column: 'a;

    /// None if the array has another type, of which not every value is one of this type.
    fn open(array: &'a dyn Array) -> Option<Self::Column>;

    /// None if the value is null and this type has no place for that.
    fn get(column: &Self::Column, row: usize) -> Option<Self>;

    /// Whether the column has just this value there, to the bit. What cannot be compared is never the same.
    fn stands(&self, _column: &Self::Column, _row: usize) -> bool {
        false
    }
}

/// A field that is written to a column.
pub trait WriteField: FieldType {
    /// The column that is being built.
    type Builder: Default;

    /// Adds the value.
    fn append(self, builder: &mut Self::Builder);

    /// Adds a null.
    fn append_null(builder: &mut Self::Builder);

    /// The column.
    fn finish(builder: Self::Builder) -> ArrayRef;
}

impl<T: FieldType> FieldType for Option<T> {
    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        T::data_type()
    }
}

impl<'a, T: ReadField<'a>> ReadField<'a> for Option<T> {
    type Column = T::Column;

    fn open(array: &'a dyn Array) -> Option<Self::Column> {
        T::open(array)
    }

    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        Some(T::get(column, row))
    }

    fn stands(&self, column: &Self::Column, row: usize) -> bool {
        match self {
            Some(value) => value.stands(column, row),
            None => T::get(column, row).is_none(),
        }
    }
}

impl<T: WriteField> WriteField for Option<T> {
    type Builder = T::Builder;

    fn append(self, builder: &mut Self::Builder) {
        match self {
            Some(value) => value.append(builder),
            None => T::append_null(builder),
        }
    }

    fn append_null(builder: &mut Self::Builder) {
        T::append_null(builder);
    }

    fn finish(builder: Self::Builder) -> ArrayRef {
        T::finish(builder)
    }
}

/// The values as those of a wider type; none if they are not of type `N`. Where there is a `From`, nothing is lost.
fn widened<N: ArrowPrimitiveType, W: ArrowPrimitiveType>(array: &dyn Array) -> Option<PrimitiveArray<W>>
where
    W::Native: From<N::Native>,
{
    array.as_any().downcast_ref::<PrimitiveArray<N>>().map(|narrow| narrow.unary(W::Native::from))
}

/// A type whose column is an array of fixed-width values, or of narrower ones.
macro_rules! primitive {
    ($($rust:ty, $arrow:ty, [$($narrow:ty),*], |$value:ident| $from:expr, |$this:ident| $into:expr;)*) => { $(
        impl FieldType for $rust {
            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }
        }

        impl<'a> ReadField<'a> for $rust {
            /// Widened once a batch, so that a row costs the same as without.
            type Column = PrimitiveArray<$arrow>;

            fn open(array: &'a dyn Array) -> Option<Self::Column> {
                let column = array.as_any().downcast_ref::<Self::Column>().cloned();
                $(let column = column.or_else(|| widened::<$narrow, $arrow>(array));)*
                column
            }

            fn get(column: &Self::Column, row: usize) -> Option<Self> {
                let $value = *column.values().get(row)?;
                column.is_valid(row).then_some($from)
            }

            fn stands(&self, column: &Self::Column, row: usize) -> bool {
                let $this = *self;
                // An order of all values, in which zeros and NaNs differ as their bits do.
                column.is_valid(row) && column.values().get(row).is_some_and(|value| value.is_eq($into))
            }
        }

        impl WriteField for $rust {
            type Builder = PrimitiveBuilder<$arrow>;

            fn append(self, builder: &mut Self::Builder) {
                let $this = self;
                builder.append_value($into);
            }

            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }

            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )* };
}

primitive! {
    i8, Int8Type, [], |value| value, |this| this;
    i16, Int16Type, [Int8Type], |value| value, |this| this;
    i32, Int32Type, [Int16Type, Int8Type], |value| value, |this| this;
    i64, Int64Type, [Int32Type, Int16Type, Int8Type], |value| value, |this| this;
    f32, Float32Type, [Int16Type, Int8Type], |value| value, |this| this;
    f64, Float64Type, [Float32Type, Int32Type, Int16Type, Int8Type], |value| value, |this| this;
    Date, Date32Type, [], |value| Date(value), |this| this.0;
}

/// A type whose column is an array that borrows its values.
macro_rules! plain {
    ($([$($life:lifetime)?] $rust:ty, $array:ty, $builder:ty, $data_type:expr, |$value:ident| $from:expr;)*) => { $(
        impl$(<$life>)? FieldType for $rust {
            fn data_type() -> DataType {
                $data_type
            }
        }

        impl<'a> ReadField<'a> for $rust {
            type Column = &'a $array;

            fn open(array: &'a dyn Array) -> Option<Self::Column> {
                array.as_any().downcast_ref()
            }

            fn get(column: &Self::Column, row: usize) -> Option<Self> {
                let column: Self::Column = column;
                (row < column.len() && column.is_valid(row)).then(|| {
                    let $value = column.value(row);
                    $from
                })
            }

            fn stands(&self, column: &Self::Column, row: usize) -> bool {
                let column: Self::Column = column;
                row < column.len() && column.is_valid(row) && column.value(row) == *self
            }
        }

        impl$(<$life>)? WriteField for $rust {
            type Builder = $builder;

            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self);
            }

            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }

            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )* };
}

plain! {
    [] bool, BooleanArray, BooleanBuilder, DataType::Boolean, |value| value;
    [] String, StringArray, StringBuilder, DataType::Utf8, |value| value.to_owned();
    ['a] &'a str, StringArray, StringBuilder, DataType::Utf8, |value| value;
    [] Vec<u8>, BinaryArray, BinaryBuilder, DataType::Binary, |value| value.to_owned();
    ['a] &'a [u8], BinaryArray, BinaryBuilder, DataType::Binary, |value| value;
}

impl FieldType for Timestamp {
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }
}

impl<'a> ReadField<'a> for Timestamp {
    type Column = &'a PrimitiveArray<TimestampMicrosecondType>;

    /// With a time zone or without: the value is the same.
    fn open(array: &'a dyn Array) -> Option<Self::Column> {
        array.as_any().downcast_ref()
    }

    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        let value = *column.values().get(row)?;
        column.is_valid(row).then_some(Self(value))
    }

    fn stands(&self, column: &Self::Column, row: usize) -> bool {
        Self::get(column, row) == Some(*self)
    }
}

impl WriteField for Timestamp {
    type Builder = TimestampMicrosecondBuilder;

    fn append(self, builder: &mut Self::Builder) {
        builder.append_value(self.0);
    }

    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }

    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish().with_timezone("UTC"))
    }
}
