//! Parameters side by side in one buffer. An update of the buffer is one of them all, element by element the same.

use tch::Tensor;

use super::slot::{Slot, Trained};

/// Parameters with the same factors, and the buffer of which they are views.
pub(super) struct Joined {
    pub slot: Slot,
    /// Their places among all parameters, in the buffer's order.
    members: Vec<Member>,
}

struct Member {
    place: usize,
    /// As the parameter lies in memory, which need not be row by row (channels-last weights).
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl Joined {
    /// The gradients of all parameters as one of the buffer.
    pub fn gradient(&self, grads: &[Tensor]) -> Tensor {
        let pieces: Vec<Tensor> = self.members.iter().map(|member| member.in_memory_order(&grads[member.place])).collect();
        Tensor::cat(&pieces, 0)
    }
}

impl Member {
    fn of(place: usize, tensor: &Tensor) -> Self {
        Self { place, size: tensor.size(), stride: tensor.stride() }
    }

    /// The elements of a tensor of the parameter's shape in the order in which the parameter has them: [N].
    fn in_memory_order(&self, tensor: &Tensor) -> Tensor {
        let count = [tensor.numel() as i64];
        if tensor.stride() == self.stride {
            return tensor.as_strided(count, [1], None);
        }
        let mut same = Tensor::empty_strided(&self.size, &self.stride, (tensor.kind(), tensor.device()));
        same.copy_(tensor);
        same.as_strided(count, [1], None)
    }

    /// A view of a part of the buffer, shaped as the parameter.
    fn view(&self, buffer: &Tensor, offset: i64) -> Tensor {
        buffer.as_strided(&self.size, &self.stride, offset)
    }
}

/// Moves the parameters and their moments into buffers, one for each pair of factors. Those that do not fill their memory
/// without gaps stay as they are.
pub(super) fn join(params: &mut [Slot]) -> Vec<Joined> {
    if !params.iter().all(|slot| is_dense(&slot.param.tensor)) {
        return vec![];
    }
    let mut factors: Vec<(f64, f64)> = vec![];
    for Trained { lr, decay, .. } in params.iter().map(|slot| &slot.param) {
        if !factors.contains(&(*lr, *decay)) {
            factors.push((*lr, *decay));
        }
    }
    factors.into_iter().map(|factors| join_equal(params, factors)).collect()
}

fn join_equal(params: &mut [Slot], (lr, decay): (f64, f64)) -> Joined {
    let equal = |slot: &Slot| (slot.param.lr, slot.param.decay) == (lr, decay);
    let places: Vec<usize> = (0..params.len()).filter(|&place| equal(&params[place])).collect();
    let members: Vec<Member> = places.iter().map(|&place| Member::of(place, &params[place].param.tensor)).collect();
    let buffer = |of: &dyn Fn(&Slot) -> Tensor| {
        let pieces: Vec<Tensor> = members.iter().map(|member| member.in_memory_order(&of(&params[member.place]).detach())).collect();
        Tensor::cat(&pieces, 0)
    };
    let whole = buffer(&|slot| slot.param.tensor.shallow_clone());
    let moments: Vec<Tensor> = (0..params[places[0]].moments.len()).map(|m| buffer(&|slot| slot.moments[m].shallow_clone())).collect();
    let mut offset = 0;
    for member in &members {
        let slot = &mut params[member.place];
        // The network holds the same tensor: it sees the buffer, too.
        slot.param.tensor.set_data(&member.view(&whole, offset));
        for (own, moment) in slot.moments.iter_mut().zip(&moments) {
            *own = member.view(moment, offset);
        }
        offset += slot.param.tensor.numel() as i64;
    }
    let name = format!("{} parameters", members.len());
    Joined { slot: Slot { param: Trained { name, tensor: whole, lr, decay }, moments }, members }
}

/// Whether each element between the first and the last belongs to the tensor, once.
fn is_dense(tensor: &Tensor) -> bool {
    let mut dims: Vec<(i64, i64)> = tensor.stride().into_iter().zip(tensor.size()).filter(|&(_, size)| size != 1).collect();
    dims.sort_unstable();
    let mut next = 1;
    dims.into_iter().all(|(stride, size)| std::mem::replace(&mut next, stride * size) == stride)
}
