//! The operators that are used, with the shapes that they give. All have one meaning in onnxruntime and OpenVINO; see
//! docs/method.md, "Export", for those that were avoided.

use std::ops::Range;

use super::graph::{Attribute, Element, Graph, Value};
use Attribute::{Float, Int, Ints, Text};

/// How a kernel passes over a map, along each of its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub stride: usize,
    /// Zeros before and behind.
    pub pad: [usize; 2],
    pub dilation: usize,
    pub groups: usize,
}

impl Window {
    /// Stride 1, no padding.
    pub const VALID: Self = Self { stride: 1, pad: [0; 2], dilation: 1, groups: 1 };

    /// Half an odd kernel at each side: with a stride of 1 a map keeps its size.
    pub fn same(kernel: usize) -> Self {
        Self { pad: [kernel / 2; 2], ..Self::VALID }
    }

    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The side of what comes out.
    fn side(self, side: usize, kernel: usize) -> usize {
        (side + self.pad[0] + self.pad[1] - self.dilation * (kernel - 1) - 1) / self.stride + 1
    }

    fn pads(self) -> Attribute {
        let [before, behind] = self.pad.map(|cells| cells as i64);
        Ints(vec![before, before, behind, behind])
    }
}

fn twice(value: usize) -> Attribute {
    Ints(vec![value as i64; 2])
}

/// The shape of two values that meet cell by cell.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let meet = |axis| match (size(a, axis), size(b, axis)) {
        (1, other) | (other, 1) => other,
        (one, other) => {
            assert_eq!(one, other, "{a:?} and {b:?} meet cell by cell");
            one
        }
    };
    (0..rank).map(meet).collect()
}

impl Graph {
    fn cellwise(&self, operator: &'static str, a: &Value, b: &Value) -> Value {
        self.node(operator, &[a, b], vec![], broadcast(a.shape(), b.shape()))
    }

    pub fn add(&self, a: &Value, b: &Value) -> Value {
        self.cellwise("Add", a, b)
    }

    pub fn sub(&self, a: &Value, b: &Value) -> Value {
        self.cellwise("Sub", a, b)
    }

    pub fn mul(&self, a: &Value, b: &Value) -> Value {
        self.cellwise("Mul", a, b)
    }

    pub fn div(&self, a: &Value, b: &Value) -> Value {
        self.cellwise("Div", a, b)
    }

    /// At least `least`.
    pub fn at_least(&self, x: &Value, least: f32) -> Value {
        self.cellwise("Max", x, &self.number(least))
    }

    /// Truths: `Equal`, `Less` or `GreaterOrEqual`.
    pub fn compare(&self, operator: &'static str, a: &Value, b: &Value) -> Value {
        self.cellwise(operator, a, b)
    }

    /// Where either of two truths holds.
    pub fn or(&self, a: &Value, b: &Value) -> Value {
        self.cellwise("Or", a, b)
    }

    /// `x`, but 0 where `truth` holds.
    pub fn zero_where(&self, truth: &Value, x: &Value) -> Value {
        let shape = broadcast(truth.shape(), x.shape());
        self.node("Where", &[truth, &self.number(0.0), x], vec![], shape)
    }

    /// `Relu`, `Sigmoid`, `Sqrt`, `Exp`, `Abs`, `Floor`, `Tanh` or `Softplus` of each number.
    pub fn each(&self, operator: &'static str, x: &Value) -> Value {
        self.node(operator, &[x], vec![], x.shape().to_vec())
    }

    pub fn relu(&self, x: &Value) -> Value {
        self.each("Relu", x)
    }

    pub fn square(&self, x: &Value) -> Value {
        self.mul(x, x)
    }

    /// Below zero the slope is `slope`.
    pub fn leaky_relu(&self, x: &Value, slope: f32) -> Value {
        self.node("LeakyRelu", &[x], vec![("alpha", Float(slope))], x.shape().to_vec())
    }

    pub fn clip(&self, x: &Value, low: f32, high: f32) -> Value {
        self.node("Clip", &[x, &self.number(low), &self.number(high)], vec![], x.shape().to_vec())
    }

    /// As floats.
    pub fn float(&self, x: &Value) -> Value {
        self.node("Cast", &[x], vec![("to", Int(Element::F32 as i64))], x.shape().to_vec())
    }

    /// The product of the last two dimensions; those before meet cell by cell.
    pub fn matmul(&self, a: &Value, b: &Value) -> Value {
        let (m, n) = (a.shape().len(), b.shape().len());
        assert_eq!(a.size(m - 1), b.size(n - 2), "{:?} times {:?}", a.shape(), b.shape());
        let mut shape = broadcast(&a.shape()[..m - 2], &b.shape()[..n - 2]);
        shape.extend([a.size(m - 2), b.size(n - 1)]);
        self.node("MatMul", &[a, b], vec![], shape)
    }

    /// `alpha a b' + c` of a [m, k], b [n, k] and c [n].
    pub fn affine(&self, a: &Value, b: &Value, c: &Value, alpha: f32) -> Value {
        let shape = vec![a.size(0), b.size(0)];
        self.node("Gemm", &[a, b, c], vec![("alpha", Float(alpha)), ("transB", Int(1))], shape)
    }

    pub fn transpose(&self, x: &Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|&axis| x.size(axis)).collect();
        self.node("Transpose", &[x], vec![("perm", Ints(order.iter().map(|&axis| axis as i64).collect()))], shape)
    }

    pub fn reshape(&self, x: &Value, shape: &[usize]) -> Value {
        assert_eq!(x.shape().iter().product::<usize>(), shape.iter().product::<usize>(), "{:?} as {shape:?}", x.shape());
        let whole = self.whole(&shape.iter().map(|&size| size as i64).collect::<Vec<_>>());
        self.node("Reshape", &[x, &whole], vec![], shape.to_vec())
    }

    pub fn expand(&self, x: &Value, shape: &[usize]) -> Value {
        let whole = self.whole(&shape.iter().map(|&size| size as i64).collect::<Vec<_>>());
        self.node("Expand", &[x, &whole], vec![], shape.to_vec())
    }

    pub fn concat(&self, parts: &[&Value], axis: usize) -> Value {
        let mut shape = parts[0].shape().to_vec();
        shape[axis] = parts.iter().map(|part| part.size(axis)).sum();
        self.node("Concat", parts, vec![("axis", Int(axis as i64))], shape)
    }

    /// Every `step`th of `range` along an axis.
    pub fn slice(&self, x: &Value, axis: usize, range: Range<usize>, step: usize) -> Value {
        let mut shape = x.shape().to_vec();
        shape[axis] = range.len().div_ceil(step);
        let one = |value: usize| self.whole(&[value as i64]);
        self.node("Slice", &[x, &one(range.start), &one(range.end), &one(axis), &one(step)], vec![], shape)
    }

    /// The places `indices`, of any shape, along an axis.
    pub fn gather(&self, x: &Value, indices: &Value, axis: usize) -> Value {
        let shape = [&x.shape()[..axis], indices.shape(), &x.shape()[axis + 1..]].concat();
        self.node("Gather", &[x, indices], vec![("axis", Int(axis as i64))], shape)
    }

    /// Of each row of x [Q, c] the one place that `indices` [Q, 1] names.
    pub fn pick(&self, x: &Value, indices: &Value) -> Value {
        self.node("GatherElements", &[x, indices], vec![("axis", Int(1))], indices.shape().to_vec())
    }

    /// `ReduceSum`, `ReduceMean`, `ReduceMax`, `ReduceMin`, `ReduceL2` or `ReduceLogSumExp` over axes, which stay with a size of 1.
    pub fn reduce(&self, operator: &'static str, x: &Value, axes: &[usize]) -> Value {
        let mut shape = x.shape().to_vec();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        let axes = self.whole(&axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>());
        self.node(operator, &[x, &axes], vec![("keepdims", Int(1))], shape)
    }

    /// The place of the greatest (`ArgMax`) or least (`ArgMin`) number along an axis, which stays with a size of 1.
    pub fn place(&self, operator: &'static str, x: &Value, axis: usize) -> Value {
        let mut shape = x.shape().to_vec();
        shape[axis] = 1;
        self.node(operator, &[x], vec![("axis", Int(axis as i64)), ("keepdims", Int(1))], shape)
    }

    /// The places of the `count` least numbers of each row of x [Q, K], ascending.
    pub fn least(&self, x: &Value, count: usize) -> Value {
        let shape = vec![x.size(0), count];
        let attributes = vec![("axis", Int(1)), ("largest", Int(0)), ("sorted", Int(1))];
        let [_, places] = self.node_of("TopK", &[x, &self.whole(&[count as i64])], attributes, [shape.clone(), shape]);
        places
    }

    /// x [1, K] with `value` at the place that `index` [1, 1] names.
    pub fn put(&self, x: &Value, index: &Value, value: f32) -> Value {
        let value = self.reshape(&self.number(value), &[1, 1]);
        self.node("ScatterElements", &[x, index, &value], vec![("axis", Int(1))], x.shape().to_vec())
    }

    /// Over the last dimension.
    pub fn softmax(&self, x: &Value) -> Value {
        self.node("Softmax", &[x], vec![("axis", Int(-1))], x.shape().to_vec())
    }

    /// x [B, Cin, H, W] by weight [Cout, Cin / groups, k, k] and bias `[Cout]`.
    pub fn conv(&self, x: &Value, weight: &Value, bias: Option<&Value>, window: Window) -> Value {
        let kernel = weight.size(2);
        assert_eq!(x.size(1), weight.size(1) * window.groups, "{:?} by {:?}", x.shape(), weight.shape());
        let shape = vec![x.size(0), weight.size(0), window.side(x.size(2), kernel), window.side(x.size(3), kernel)];
        let attributes = vec![
            ("dilations", twice(window.dilation)),
            ("group", Int(window.groups as i64)),
            ("kernel_shape", twice(kernel)),
            ("pads", window.pads()),
            ("strides", twice(window.stride)),
        ];
        let inputs: Vec<&Value> = [x, weight].into_iter().chain(bias).collect();
        self.node("Conv", &inputs, attributes, shape)
    }

    /// x [B, Cin, H, W] by weight [Cin, Cout, k, k], nothing cut off.
    pub fn conv_transpose(&self, x: &Value, weight: &Value, bias: Option<&Value>, stride: usize) -> Value {
        let kernel = weight.size(2);
        let side = |axis| (x.size(axis) - 1) * stride + kernel;
        let shape = vec![x.size(0), weight.size(1), side(2), side(3)];
        let inputs: Vec<&Value> = [x, weight].into_iter().chain(bias).collect();
        self.node("ConvTranspose", &inputs, vec![("kernel_shape", twice(kernel)), ("strides", twice(stride))], shape)
    }

    /// The greatest number under a square kernel.
    pub fn max_pool(&self, x: &Value, kernel: usize, window: Window) -> Value {
        let shape = vec![x.size(0), x.size(1), window.side(x.size(2), kernel), window.side(x.size(3), kernel)];
        let attributes = vec![
            ("dilations", twice(window.dilation)),
            ("kernel_shape", twice(kernel)),
            ("pads", window.pads()),
            ("strides", twice(window.stride)),
        ];
        self.node("MaxPool", &[x], attributes, shape)
    }

    /// The mean over 3x3 cells; what is beyond an edge counts as zero.
    pub fn mean3(&self, x: &Value) -> Value {
        let window = Window::same(3);
        let attributes = vec![("count_include_pad", Int(1)), ("kernel_shape", twice(3)), ("pads", window.pads()), ("strides", twice(1))];
        self.node("AveragePool", &[x], attributes, x.shape().to_vec())
    }

    /// A map [B, C, H, W] with so many rows and columns before and behind, reflected at the edge pixel.
    pub fn reflect(&self, x: &Value, [before, behind]: [usize; 2]) -> Value {
        let mut shape = x.shape().to_vec();
        shape[2..].iter_mut().for_each(|side| *side += before + behind);
        let (a, b) = (before as i64, behind as i64);
        self.node("Pad", &[x, &self.whole(&[0, 0, a, a, 0, 0, b, b])], vec![("mode", Text("reflect"))], shape)
    }
}
