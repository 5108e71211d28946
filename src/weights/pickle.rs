//! A reader for the pickles that `torch.save` makes of a state dict. It executes nothing.
//!
//! Python's pickle is a program for a small stack machine whose instructions may call any function of any module. Here
//! only the instructions and the half dozen names that tensors need are known; whatever else occurs is an error that
//! names it. Cost: one node for each instruction at most, so memory is bounded by the input's length.

use crate::names::quoted;
use std::collections::HashMap;

/// A reference to a node of the arena; objects may share others, as in Python.
type Id = usize;

/// Bounds of what one instruction copies.
const DIMENSIONS: usize = 8;
const KEY_BYTES: usize = 64;
/// Bound of the nodes; a state dict of a thousand tensors has some thirty thousand.
const NODES: usize = 1 << 20;

/// Type of the numbers in a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// Integers and booleans of this many bytes: counters, which no network here reads.
    Other(usize),
}

impl Dtype {
    pub(super) fn size(self) -> usize {
        match self {
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            Dtype::Other(size) => size,
        }
    }
}

/// A block of numbers outside the pickle, referred to by `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub key: String,
    pub dtype: Dtype,
    /// Number of elements.
    pub len: usize,
}

/// A view into a storage; strides and offset count elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

#[derive(Debug)]
enum Node {
    None,
    Bool,
    Int(i128),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage(Storage),
    Tensor(View),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

fn name(module: &str, name: &str) -> Result<Name, String> {
    let dtype = match (module, name) {
        ("collections", "OrderedDict") => return Ok(Name::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => return Ok(Name::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => return Ok(Name::RebuildParameter),
        ("torch", "FloatStorage") => Dtype::F32,
        ("torch", "HalfStorage") => Dtype::F16,
        ("torch", "BFloat16Storage") => Dtype::Bf16,
        ("torch", "DoubleStorage") => Dtype::F64,
        ("torch", "LongStorage") => Dtype::Other(8),
        ("torch", "IntStorage") => Dtype::Other(4),
        ("torch", "ShortStorage") => Dtype::Other(2),
        ("torch", "CharStorage" | "ByteStorage" | "BoolStorage") => Dtype::Other(1),
        _ => return Err(format!("it wants to call `{}.{}`, which no state dict of plain tensors needs", quoted(module), quoted(name))),
    };
    Ok(Name::Storage(dtype))
}

/// A finished pickle.
pub(super) struct Value {
    nodes: Vec<Node>,
    root: Id,
}

impl Value {
    /// The root as an integer.
    pub(super) fn int(&self) -> Option<i128> {
        if let Node::Int(value) = self.nodes[self.root] { Some(value) } else { None }
    }

    /// The root as a list of texts.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let Node::List(items) = &self.nodes[self.root] else { return None };
        items.iter().map(|&i| self.text(i).map(str::to_owned)).collect()
    }

    /// The tensors of a state dict by name: the root, its entry `state_dict`, or else the one entry that is a dictionary of tensors, as
    /// training checkpoints have them under `model` or `net`.
    ///
    /// # Errors
    /// There is none, or there are several; a sentence that names them.
    pub(super) fn state_dict(&self) -> Result<Vec<(&str, &View)>, String> {
        let Node::Dict(entries) = &self.nodes[self.root] else { return Err(NO_DICT.into()) };
        let named = entries.iter().filter_map(|&(key, value)| Some((self.text(key)?, self.tensors(value)?)));
        let (mut named, own): (Vec<_>, _) = (named.collect(), self.tensors(self.root));
        if let Some(place) = named.iter().position(|(name, _)| *name == "state_dict") {
            return Ok(named.swap_remove(place).1);
        }
        match (own, named.len()) {
            (Some(own), _) => Ok(own),
            (None, 1) => Ok(named.remove(0).1),
            (None, 0) => Err(NO_DICT.into()),
            (None, _) => {
                let names: Vec<&str> = named.iter().map(|(name, _)| *name).take(4).collect();
                Err(format!("it holds several dictionaries of tensors: {}", names.join(", ")))
            }
        }
    }

    /// The tensors of a dictionary; `None` where it is none, or has no tensor.
    fn tensors(&self, dict: Id) -> Option<Vec<(&str, &View)>> {
        let Node::Dict(entries) = &self.nodes[dict] else { return None };
        let tensor = |&(key, value): &(Id, Id)| match &self.nodes[value] {
            Node::Tensor(view) => Some((self.text(key)?, view)),
            _ => None,
        };
        let tensors: Vec<_> = entries.iter().filter_map(tensor).collect();
        if tensors.is_empty() { None } else { Some(tensors) }
    }

    fn text(&self, id: Id) -> Option<&str> {
        if let Node::Text(text) = &self.nodes[id] { Some(text) } else { None }
    }
}

const NO_DICT: &str = "it holds no dictionary of tensors";

/// Runs one pickle from the front of `input` and moves `input` behind it.
///
/// # Errors
/// The pickle is cut off, malformed, or uses what isn't known here.
pub(super) fn load(input: &mut &[u8]) -> Result<Value, String> {
    let mut machine = Machine { input, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    let root = machine.run()?;
    let Machine { input: rest, nodes, .. } = machine;
    *input = rest;
    Ok(Value { nodes, root })
}

struct Machine<'a> {
    input: &'a [u8],
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                0x80 => match self.byte()? {
                    2..=5 => {}
                    version => return Err(format!("it has pickle protocol {version}")),
                },
                0x95 => drop(self.take(8)?), // FRAME: the length of what follows
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Node::None),
                0x88 | 0x89 => self.push(Node::Bool),
                b'K' => self.int(1)?,
                b'M' => self.int(2)?,
                b'J' => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.push(Node::Int(value.into()));
                }
                0x8a => self.long()?,
                b'G' => {
                    self.take(8)?;
                    self.push(Node::Float);
                }
                b'X' | b'T' => self.string(4)?,
                b'U' | 0x8c => self.string(1)?,
                0x8d => self.string(8)?,
                b'}' => self.push(Node::Dict(Vec::new())),
                b']' => self.push(Node::List(Vec::new())),
                b')' => self.push(Node::Tuple(Vec::new())),
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items));
                }
                n @ 0x85..=0x87 => {
                    let items = self.pop_many(usize::from(n - 0x84))?;
                    self.push(Node::Tuple(items));
                }
                b'a' => {
                    let items = self.pop_many(1)?;
                    self.append(items)?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let items = self.pop_many(2)?;
                    self.set(&items)?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set(&items)?;
                }
                b'q' => self.remember(1)?,
                b'r' => self.remember(4)?,
                0x94 => {
                    let (key, id) = (self.memo.len(), self.top()?);
                    self.memo.insert(key, id);
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'c' => {
                    let (module, attribute) = (self.line()?, self.line()?);
                    self.push(Node::Name(name(module, attribute)?));
                }
                0x93 => {
                    let parts = self.pop_many(2)?;
                    let found = name(self.text(parts[0])?, self.text(parts[1])?)?;
                    self.push(Node::Name(found));
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.push(Node::Storage(storage));
                }
                b'R' => {
                    let parts = self.pop_many(2)?;
                    self.reduce(parts[0], parts[1])?;
                }
                b'b' => {
                    // Attributes of an OrderedDict (`_metadata`): of no use here.
                    self.pop()?;
                    let id = self.top()?;
                    if !matches!(self.nodes[id], Node::Dict(_)) {
                        return Err("it sets attributes of something that is not a dictionary".into());
                    }
                }
                other => return Err(format!("it has the instruction {other:#04x}, which no state dict needs")),
            }
            if self.nodes.len().max(self.stack.len()).max(self.marks.len()) > NODES {
                return Err(format!("it has more than {NODES} instructions, which no state dict needs"));
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (front, rest) = self.input.split_at_checked(n).ok_or("it is cut off")?;
        self.input = rest;
        Ok(front)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many bytes as asked for"))
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    /// An unsigned little-endian number of `size` bytes.
    fn number(&mut self, size: usize) -> Result<usize, String> {
        let value = self.take(size)?.iter().rev().try_fold(0usize, |n, &b| n.checked_mul(256)?.checked_add(b.into()));
        value.ok_or_else(|| "it has a number that is too large".into())
    }

    fn int(&mut self, size: usize) -> Result<(), String> {
        let value = self.number(size)?;
        self.push(Node::Int(value as i128));
        Ok(())
    }

    /// A signed number of a length that is given; torch's magic number has ten bytes.
    fn long(&mut self) -> Result<(), String> {
        let size = usize::from(self.byte()?);
        if size > 16 {
            return Err(format!("it has an integer of {size} bytes"));
        }
        let bytes = self.take(size)?;
        let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 16];
        wide[..size].copy_from_slice(bytes);
        self.push(Node::Int(i128::from_le_bytes(wide)));
        Ok(())
    }

    fn string(&mut self, size: usize) -> Result<(), String> {
        let n = self.number(size)?;
        let text = str::from_utf8(self.take(n)?).map_err(|_| "it has a text that is not UTF-8")?;
        self.push(Node::Text(text.to_owned()));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.input.iter().position(|&b| b == b'\n').ok_or("it is cut off")?;
        let line = self.take(end + 1)?;
        str::from_utf8(&line[..end]).map_err(|_| "it has a name that is not UTF-8".into())
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, String> {
        Ok(self.pop_many(1)?[0])
    }

    fn pop_many(&mut self, n: usize) -> Result<Vec<Id>, String> {
        let at = self.stack.len().checked_sub(n).filter(|&at| at >= self.floor()).ok_or("it takes from an empty stack")?;
        Ok(self.stack.split_off(at))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.get(self.floor()..).and_then(<[Id]>::last).copied().ok_or_else(|| "it looks at an empty stack".into())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let id = self.top()?;
        let Node::List(list) = &mut self.nodes[id] else { return Err("it appends to something that is not a list".into()) };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let id = self.top()?;
        let Node::Dict(dict) = &mut self.nodes[id] else { return Err("it sets an entry of something that is not a dictionary".into()) };
        if !items.len().is_multiple_of(2) {
            return Err("it has a key without a value".into());
        }
        dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        Ok(())
    }

    fn remember(&mut self, size: usize) -> Result<(), String> {
        let (key, id) = (self.number(size)?, self.top()?);
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, size: usize) -> Result<(), String> {
        let key = self.number(size)?;
        let id = self.memo.get(&key).ok_or("it recalls what it never stored")?;
        self.stack.push(*id);
        Ok(())
    }

    fn text(&self, id: Id) -> Result<&str, String> {
        if let Node::Text(text) = &self.nodes[id] { Ok(text) } else { Err("it has something else where a text belongs".into()) }
    }

    fn size(&self, id: Id) -> Result<usize, String> {
        let Node::Int(value) = self.nodes[id] else { return Err("it has something else where a size belongs".into()) };
        value.try_into().map_err(|_| format!("it has the size {value}"))
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, String> {
        let sizes = self.tuple(id)?;
        if sizes.len() > DIMENSIONS {
            return Err(format!("it has a tensor of {} dimensions", sizes.len()));
        }
        sizes.iter().map(|&i| self.size(i)).collect()
    }

    fn tuple(&self, id: Id) -> Result<&[Id], String> {
        if let Node::Tuple(items) = &self.nodes[id] { Ok(items) } else { Err("it has something else where a tuple belongs".into()) }
    }

    /// `("storage", type, key, device, elements)`, and in the old format a sixth part: `None`, or a view, which no
    /// published network uses.
    fn storage(&self, id: Id) -> Result<Storage, String> {
        let parts = self.tuple(id)?;
        let (&[kind, dtype, key, _device, len], view) = parts
            .split_at_checked(5)
            .map_or(Err("it has a malformed storage"), |(a, b)| Ok((a.first_chunk::<5>().expect("split at five"), b)))?;
        let key = self.text(key)?;
        if self.text(kind)? != "storage" || key.len() > KEY_BYTES || view.iter().any(|&v| !matches!(self.nodes[v], Node::None)) {
            return Err("it has a storage of an unknown form".into());
        }
        let Node::Name(Name::Storage(dtype)) = self.nodes[dtype] else { return Err("it has a storage without a type".into()) };
        Ok(Storage { key: key.to_owned(), dtype, len: self.size(len)? })
    }

    fn pairs(&self, id: Id) -> Result<Vec<(Id, Id)>, String> {
        let malformed = || "it has a malformed list of pairs".to_owned();
        let Node::List(items) = &self.nodes[id] else { return Err(malformed()) };
        let pair = |&item: &Id| match &self.nodes[item] {
            Node::List(parts) | Node::Tuple(parts) if parts.len() == 2 => Ok((parts[0], parts[1])),
            _ => Err(malformed()),
        };
        items.iter().map(pair).collect()
    }

    fn reduce(&mut self, function: Id, arguments: Id) -> Result<(), String> {
        let Node::Name(function) = self.nodes[function] else { return Err("it calls something that is not a function".into()) };
        let arguments = self.tuple(arguments)?;
        let node = match (function, arguments) {
            (Name::OrderedDict, []) => Node::Dict(Vec::new()),
            // Python 2 hands over a list of pairs.
            (Name::OrderedDict, &[pairs]) => Node::Dict(self.pairs(pairs)?),
            (Name::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let Node::Storage(storage) = &self.nodes[storage] else { return Err("it has a tensor without a storage".into()) };
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                Node::Tensor(View { storage: storage.clone(), offset: self.size(offset)?, shape, strides })
            }
            (Name::RebuildParameter, &[data, ..]) => match &self.nodes[data] {
                Node::Tensor(view) => Node::Tensor(view.clone()),
                _ => return Err("it has a parameter without a tensor".into()),
            },
            (other, _) => return Err(format!("it calls {other:?} with {} arguments", arguments.len())),
        };
        self.push(node);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORAGE: &str = "((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06tQ";

    #[test]
    fn a_dictionary_of_python_2_comes_as_a_list_of_pairs() {
        let program = [
            b"ccollections\nOrderedDict\n]]U\x01wactorch._utils\n_rebuild_tensor_v2\n".as_slice(),
            STORAGE.as_bytes(),
            b"K\x01K\x02K\x02\x86K\x02K\x01\x86\x89)tRaa\x85R. and more",
        ]
        .concat();
        let mut rest = program.as_slice();
        let value = load(&mut rest).unwrap();
        assert_eq!(rest, b" and more");
        let storage = Storage { key: "0".into(), dtype: Dtype::F32, len: 6 };
        assert_eq!(value.state_dict().unwrap(), [("w", &View { storage, offset: 1, shape: vec![2, 2], strides: vec![2, 1] })]);
    }

    #[test]
    fn numbers_have_their_sign_and_their_bound() {
        let int = |program: &[u8]| load(&mut &program[..]).map(|value| value.int());
        assert_eq!(int(b"K\xff."), Ok(Some(255)));
        assert_eq!(int(b"J\xff\xff\xff\xff."), Ok(Some(-1)));
        assert_eq!(int(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), Ok(Some(0x1950_a86a_20f9_469c_fc6c)));
        assert_eq!(int(b"\x8a\x01\x80."), Ok(Some(-128)));
        assert!(int(b"\x8a\x11aaaaaaaaaaaaaaaaa.").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for program in
            [b".".as_slice(), b"(.", b"0.", b"h\x01.", b"K\x01K\x02s.", b"(K\x01}u.", b"]K\x01R.", b"K\x01Q.", b"N}b.", b"cos\nsystem\n."]
        {
            assert!(load(&mut &program[..]).is_err(), "{program:?}");
        }
    }
}
