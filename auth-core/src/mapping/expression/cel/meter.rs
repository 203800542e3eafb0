//! What an evaluation has left to spend, and what values cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::types::{CelBytes, CelInt, CelList, CelMap, CelOptional, CelString};
use cel::common::value::{CowVal, Val};
use cel::{Context, DeclarationError, ExecutionError, FunctionContext};

/// `@pay(value, times)`: the value, once it is paid for so many times over. No text can hold this name.
pub(super) const PAY: &str = "@pay";

/// `@rounds(range, cost)`: the range, once all rounds over it are paid for.
pub(super) const ROUNDS: &str = "@rounds";

/// Of a value of fixed size, and of each element of a list: an allocation, a pointer and a length.
pub(super) const VALUE: u64 = 32;

/// A budget. Once it is overdrawn it stays empty, whatever the evaluation makes of the error.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicU64,
}

impl Meter {
    pub(super) const fn new(budget: u64) -> Self {
        Self { left: AtomicU64::new(budget) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Takes a price from what is left, or all of it and fails.
    pub(super) fn take(&self, price: u64) -> Result<(), ExecutionError> {
        let left = self.left().saturating_sub(price);
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            Err(ExecutionError::function_error(PAY, "it costs more than an expression may"))
        } else {
            Ok(())
        }
    }

    /// Lets an evaluation pay.
    pub(super) fn lend_to(self: &Arc<Self>, context: &mut Context<'_, '_>) -> Result<(), ExecutionError> {
        let refused = |error: DeclarationError| ExecutionError::InternalError(error.to_string());
        let times: Price = |_, size, times| size.saturating_mul(times);
        let all_rounds: Price = |range, size, cost| rounds(range, size).saturating_mul(cost).saturating_add(size);
        context.add_function(PAY, paying(self, times)).map_err(refused)?;
        context.add_function(ROUNDS, paying(self, all_rounds)).map_err(refused)
    }
}

/// A function of ours, as a context takes it.
pub(super) type Function =
    Box<dyn for<'a, 'v> Fn(&mut FunctionContext<'a, 'v>) -> Result<CowVal<'a, 'v>, ExecutionError> + Send + Sync>;

/// From a value, its size and a factor.
type Price = fn(&dyn Val, u64, u64) -> u64;

fn rounds(range: &dyn Val, size: u64) -> u64 {
    let count = range.as_sizer().and_then(|range| u64::try_from(*range.size().inner()).ok());
    count.unwrap_or(size)
}

/// A function that takes the price of its first argument and gives it back as it is.
fn paying(meter: &Arc<Meter>, price: Price) -> Function {
    let meter = Arc::clone(meter);
    Box::new(move |call: &mut FunctionContext<'_, '_>| {
        let mut arguments = std::mem::take(&mut call.args).into_iter();
        let (Some(value), Some(factor)) = (arguments.next(), arguments.next()) else {
            return Err(ExecutionError::missing_argument_or_target());
        };
        let factor = factor.downcast_ref::<CelInt>().and_then(|int| u64::try_from(*int.inner()).ok());
        let size = size(value.as_ref(), meter.left());
        meter.take(price(value.as_ref(), size, factor.unwrap_or(u64::MAX)))?;
        Ok(value)
    })
}

/// What a value takes, or something more than `most`: a value that nobody can pay for is not measured to its end.
pub(super) fn size(value: &dyn Val, most: u64) -> u64 {
    let mut size = 0;
    add(&mut size, value, most);
    size
}

/// Values nest no deeper than the expression that makes them.
fn add(size: &mut u64, value: &dyn Val, most: u64) {
    *size = size.saturating_add(VALUE);
    if *size > most {
        return;
    }
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        *size = size.saturating_add(text.len() as u64);
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        *size = size.saturating_add(bytes.inner().len() as u64);
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        list.inner().iter().for_each(|item| add(size, item.as_ref(), most));
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        for (key, item) in map.inner() {
            add(size, key.inner(), most);
            add(size, item.as_ref(), most);
        }
    } else if let Some(inner) = value.downcast_ref::<CelOptional<'_>>().and_then(CelOptional::inner) {
        add(size, inner, most);
    }
}
