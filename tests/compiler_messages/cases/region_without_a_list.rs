use contiguity::Limit;
use contiguity::guard::Guard;

fn main() {
    let _ = Guard::total(Limit::per_day(2_000)).only("US").build();
}
