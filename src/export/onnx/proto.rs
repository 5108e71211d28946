//! A graph as the bytes of an ONNX file.
//!
//! Numbers of fields are those of `onnx/onnx.proto`, which is in proto2: repeated numbers are not packed. Fields are written in
//! ascending order, as protobuf's own writers do.

use super::graph::{Attribute, Constant, Content, Element, Node, Numbers, Port};
use crate::export::protobuf::Message;
use crate::{Error, Result};

/// Version of the operators. 18 is the first in which all reductions take their axes as an input; onnxruntime reads it since 1.14.
const OPSET: u64 = 18;
/// Version of the format, the one that came with opset 18.
const IR: u64 = 8;
/// Bytes that a protocol buffer can hold.
const MOST: usize = (1 << 31) - 1;

/// `AttributeProto.AttributeType`.
mod kind {
    pub const FLOAT: u64 = 1;
    pub const INT: u64 = 2;
    pub const STRING: u64 = 3;
    pub const INTS: u64 = 7;
}

/// The bytes of a model: its graph, which is called `name`, and what it says of itself.
///
/// # Errors
/// A model that is too large for the format.
pub fn model(name: &str, content: &Content, metadata: &[(String, String)]) -> Result<Vec<u8>> {
    let size: usize = content.constants.iter().map(bytes).sum();
    if size > MOST {
        return Err(Error::config(
            format!("the model has {:.1} GB of numbers, and an ONNX file holds 2 GB", size as f64 / 1e9),
            "repeat the run with fewer of them: a smaller data.size, for padim fewer padim.channels, for nearest a smaller nearest.fraction",
        ));
    }
    let operators = Message::new().text(1, "").int(2, OPSET);
    let entry = |(key, value): &(String, String)| Message::new().text(1, key).text(2, value);
    let model = Message::new()
        .int(1, IR)
        .text(2, "harness")
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, &graph(name, content))
        .message(8, &operators)
        .each(14, metadata.iter().map(entry));
    Ok(model.as_bytes().to_vec())
}

fn graph(name: &str, content: &Content) -> Message {
    let Content { nodes, constants, inputs, outputs, .. } = content;
    Message::new()
        .each(1, nodes.iter().enumerate().map(|(place, of)| node(of, place)))
        .text(2, name)
        .each(5, constants.iter().map(constant))
        .each(11, inputs.iter().map(port))
        .each(12, outputs.iter().map(port))
}

fn node(node: &Node, place: usize) -> Message {
    let names = |message: Message, field: u32, names: &[std::rc::Rc<str>]| names.iter().fold(message, |m, name| m.text(field, name));
    names(names(Message::new(), 1, &node.inputs), 2, &node.outputs)
        .text(3, &format!("{}_{place}", node.operator))
        .text(4, node.operator)
        .each(5, node.attributes.iter().map(attribute))
}

fn attribute((name, value): &(&str, Attribute)) -> Message {
    let named = Message::new().text(1, name);
    match value {
        Attribute::Float(value) => named.float(2, *value).int(20, kind::FLOAT),
        Attribute::Int(value) => named.int(3, *value as u64).int(20, kind::INT),
        Attribute::Text(value) => named.text(4, value).int(20, kind::STRING),
        Attribute::Ints(values) => values.iter().fold(named, |m, value| m.int(8, *value as u64)).int(20, kind::INTS),
    }
}

fn constant(constant: &Constant) -> Message {
    let (element, data): (Element, Vec<u8>) = match &constant.numbers {
        Numbers::F32(numbers) => (Element::F32, numbers.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Numbers::I64(numbers) => (Element::I64, numbers.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let dims = constant.shape.iter().fold(Message::new(), |m, size| m.int(1, *size as u64));
    dims.int(2, element as u64).text(8, &constant.name).bytes(9, &data)
}

fn port(port: &Port) -> Message {
    let shape = Message::new().each(1, port.shape.iter().map(|size| Message::new().int(1, *size as u64)));
    let tensor = Message::new().int(1, port.element as u64).message(2, &shape);
    Message::new().text(1, &port.name).message(2, &Message::new().message(1, &tensor))
}

fn bytes(constant: &Constant) -> usize {
    match &constant.numbers {
        Numbers::F32(numbers) => 4 * numbers.len(),
        Numbers::I64(numbers) => 8 * numbers.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::onnx::graph::Graph;
    use crate::export::onnx::ops::Window;
    use crate::weights::Tensor;

    #[test]
    fn bytes_are_those_that_the_helper_of_onnx_writes() {
        let golden = include_bytes!("../../../tests/golden/onnx_graph.onnx");
        let g = Graph::new();
        let x = g.reflect(&g.float(&g.input("image", Element::U8, &[1, 1, 4, 300])), [1, 2]);
        let weight = g.constant(Tensor { shape: vec![1, 1, 2, 2], data: vec![0.5, -1.25, 3.0, 1e-6] });
        let hidden = g.leaky_relu(&g.conv(&x, &weight, None, Window::VALID), 0.01);
        let map = g.softmax(&hidden);
        // Nothing needs it: it is left out.
        g.relu(&hidden);
        g.output("map", &map);
        let about = [("harness.run", "a/b-s0"), ("harness.map", "A")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let bytes = model("tiny", &g.finish(), &about).unwrap();
        // The helper was told that the version is 0.1.0, which stands behind 12 bytes and one that has its length.
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(&bytes[13..][..version.len()], version.as_bytes());
        assert_eq!((&bytes[..12], &bytes[13 + version.len()..]), (&golden[..12], &golden[13 + 5..]));
    }
}
