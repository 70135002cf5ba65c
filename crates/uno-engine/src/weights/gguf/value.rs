//! Values of GGUF's metadata.

use super::read::Reader;

/// A metadata value, with the number formats folded into their widest kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any of u8..u64.
    Unsigned(u64),
    /// Any of i8..i64.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// An array of whole numbers or truth values.
    Integers(Vec<i64>),
    /// An array of floats.
    Floats(Vec<f64>),
}

impl Value {
    /// A non-negative whole number.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::Unsigned(n) => Some(n),
            Value::Signed(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    /// Any number.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Unsigned(n) => Some(n as f64),
            Value::Signed(n) => Some(n as f64),
            Value::Float(n) => Some(n),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// Text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    /// An array of texts.
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            Value::Texts(s) => Some(s),
            _ => None,
        }
    }

    /// An array of whole numbers.
    pub fn as_integers(&self) -> Option<&[i64]> {
        match self {
            Value::Integers(n) => Some(n),
            _ => None,
        }
    }
}

/// The type codes of the specification, section "File Structure".
pub(super) mod code {
    pub const U8: u32 = 0;
    pub const I8: u32 = 1;
    pub const U16: u32 = 2;
    pub const I16: u32 = 3;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const I64: u32 = 11;
    pub const F64: u32 = 12;
}

/// Reads the value of `key`.
pub(super) fn read(reader: &mut Reader<'_>, key: &str) -> Result<Value, String> {
    match reader.u32()? {
        code::ARRAY => array(reader, key),
        code => scalar(reader, code, key),
    }
}

fn scalar(reader: &mut Reader<'_>, code: u32, key: &str) -> Result<Value, String> {
    Ok(match code {
        code::U8 => Value::Unsigned(u8::from_le_bytes(reader.array()?).into()),
        code::I8 => Value::Signed(i8::from_le_bytes(reader.array()?).into()),
        code::U16 => Value::Unsigned(u16::from_le_bytes(reader.array()?).into()),
        code::I16 => Value::Signed(i16::from_le_bytes(reader.array()?).into()),
        code::U32 => Value::Unsigned(reader.u32()?.into()),
        code::I32 => Value::Signed(i32::from_le_bytes(reader.array()?).into()),
        code::F32 => Value::Float(f32::from_le_bytes(reader.array()?).into()),
        code::BOOL => Value::Bool(reader.array::<1>()?[0] != 0),
        code::STRING => Value::Text(reader.string(key)?),
        code::U64 => Value::Unsigned(reader.u64()?),
        code::I64 => Value::Signed(i64::from_le_bytes(reader.array()?)),
        code::F64 => Value::Float(f64::from_le_bytes(reader.array()?)),
        code => return Err(format!("metadata {key} has the unknown type {code}; the file is damaged")),
    })
}

fn array(reader: &mut Reader<'_>, key: &str) -> Result<Value, String> {
    let code = reader.u32()?;
    let item = match code {
        code::U8 | code::I8 | code::BOOL => 1,
        code::U16 | code::I16 => 2,
        code::U32 | code::I32 | code::F32 => 4,
        code::U64 | code::I64 | code::F64 | code::STRING => 8,
        code::ARRAY => {
            return Err(format!("metadata {key} is an array of arrays, which no known model uses"));
        }
        code => return Err(format!("metadata {key} has the unknown item type {code}; the file is damaged")),
    };
    let count = reader.count("items", item).map_err(|e| format!("metadata {key} {e}"))?;
    match code {
        code::STRING => {
            let texts = (0..count).map(|_| reader.string(key)).collect::<Result<_, _>>()?;
            Ok(Value::Texts(texts))
        }
        code::F32 | code::F64 => {
            let values = (0..count).map(|_| Ok(scalar(reader, code, key)?.as_f64().unwrap_or(f64::NAN)));
            Ok(Value::Floats(values.collect::<Result<_, String>>()?))
        }
        _ => {
            let mut values = Vec::with_capacity(count);
            for _ in 0..count {
                let value = match scalar(reader, code, key)? {
                    Value::Bool(b) => Some(b.into()),
                    Value::Signed(n) => Some(n),
                    other => other.as_u64().and_then(|n| i64::try_from(n).ok()),
                };
                values.push(value.ok_or_else(|| format!("metadata {key} holds a number beyond 2^63"))?);
            }
            Ok(Value::Integers(values))
        }
    }
}
