use contiguity::guard::Guard;

fn main() {
    let _ = Guard::total(2_000).everywhere().build();
}
