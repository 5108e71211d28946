//! A graph that is being put together: values of known shape, and the nodes that make them.
//!
//! It is written for one image, so that every shape is known when a node is made. Nodes stand in the order in which they were made,
//! each behind those that it needs; what no output needs is left out in the end.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use crate::weights::Tensor;

/// What a value consists of; the numbers are `TensorProto.DataType`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32 = 1,
    U8 = 2,
    I64 = 7,
}

/// A value: the output of a node, a constant or an input.
#[derive(Debug, Clone)]
pub struct Value {
    pub(super) name: Rc<str>,
    shape: Rc<[usize]>,
}

impl Value {
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The size of dimension `axis`.
    pub fn size(&self, axis: usize) -> usize {
        self.shape[axis]
    }
}

/// A setting of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
    Text(&'static str),
}

/// Settings by name, in alphabetical order.
pub type Attributes = Vec<(&'static str, Attribute)>;

#[derive(Debug)]
pub struct Node {
    pub operator: &'static str,
    pub inputs: Vec<Rc<str>>,
    pub outputs: Vec<Rc<str>>,
    pub attributes: Attributes,
}

#[derive(Debug)]
pub enum Numbers {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

/// A value that is known beforehand.
#[derive(Debug)]
pub struct Constant {
    pub name: Rc<str>,
    pub shape: Vec<usize>,
    pub numbers: Numbers,
}

/// An input or an output.
#[derive(Debug)]
pub struct Port {
    pub name: Rc<str>,
    pub element: Element,
    pub shape: Vec<usize>,
}

/// What a graph consists of.
#[derive(Debug, Default)]
pub struct Content {
    pub nodes: Vec<Node>,
    pub constants: Vec<Constant>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Values that were named so far.
    count: usize,
}

/// A graph that grows; shared by all who write into it.
#[derive(Debug, Default)]
pub struct Graph(RefCell<Content>);

impl Graph {
    pub fn new() -> Self {
        Self::default()
    }

    /// An input of the graph.
    pub fn input(&self, name: &str, element: Element, shape: &[usize]) -> Value {
        let name: Rc<str> = name.into();
        self.0.borrow_mut().inputs.push(Port { name: name.clone(), element, shape: shape.to_vec() });
        Value { name, shape: shape.into() }
    }

    /// Makes a value of floats an output of the graph under `name`.
    pub fn output(&self, name: &str, value: &Value) {
        let name: Rc<str> = name.into();
        let mut content = self.0.borrow_mut();
        content.outputs.push(Port { name: name.clone(), element: Element::F32, shape: value.shape().to_vec() });
        content.nodes.push(Node { operator: "Identity", inputs: vec![value.name.clone()], outputs: vec![name], attributes: vec![] });
    }

    /// A constant of floats.
    pub fn constant(&self, tensor: Tensor) -> Value {
        self.keep(tensor.shape, Numbers::F32(tensor.data))
    }

    /// A number; it goes with a value of any shape.
    pub fn number(&self, value: f32) -> Value {
        self.keep(vec![], Numbers::F32(vec![value]))
    }

    /// Whole numbers in a row.
    pub fn whole(&self, values: &[i64]) -> Value {
        self.whole_in(&[values.len()], values.to_vec())
    }

    /// Whole numbers of that shape, row-major.
    pub fn whole_in(&self, shape: &[usize], values: Vec<i64>) -> Value {
        self.keep(shape.to_vec(), Numbers::I64(values))
    }

    fn keep(&self, shape: Vec<usize>, numbers: Numbers) -> Value {
        let length = match &numbers {
            Numbers::F32(data) => data.len(),
            Numbers::I64(data) => data.len(),
        };
        assert_eq!(length, shape.iter().product::<usize>(), "a constant fills its shape");
        let name = self.name("c");
        self.0.borrow_mut().constants.push(Constant { name: name.clone(), shape: shape.clone(), numbers });
        Value { name, shape: shape.into() }
    }

    /// The one output, of `shape`, of a new node.
    pub fn node(&self, operator: &'static str, inputs: &[&Value], attributes: Attributes, shape: Vec<usize>) -> Value {
        let [value] = self.node_of(operator, inputs, attributes, [shape]);
        value
    }

    /// The outputs, of `shapes`, of a new node.
    pub fn node_of<const N: usize>(
        &self,
        operator: &'static str,
        inputs: &[&Value],
        attributes: Attributes,
        shapes: [Vec<usize>; N],
    ) -> [Value; N] {
        let values = shapes.map(|shape| Value { name: self.name("v"), shape: shape.into() });
        let inputs = inputs.iter().map(|value| value.name.clone()).collect();
        let outputs = values.iter().map(|value| value.name.clone()).collect();
        self.0.borrow_mut().nodes.push(Node { operator, inputs, outputs, attributes });
        values
    }

    fn name(&self, kind: &str) -> Rc<str> {
        let mut content = self.0.borrow_mut();
        content.count += 1;
        format!("{kind}{}", content.count).into()
    }

    /// What the outputs need.
    pub fn finish(self) -> Content {
        let mut content = self.0.into_inner();
        let mut needed: HashSet<Rc<str>> = content.outputs.iter().map(|port| port.name.clone()).collect();
        let mut nodes = vec![];
        for node in content.nodes.into_iter().rev() {
            if node.outputs.iter().any(|name| needed.contains(name)) {
                needed.extend(node.inputs.iter().cloned());
                nodes.push(node);
            }
        }
        nodes.reverse();
        content.constants.retain(|constant| needed.contains(&constant.name));
        Content { nodes, ..content }
    }
}
