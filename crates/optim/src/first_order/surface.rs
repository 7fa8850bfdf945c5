//! The public face of a first-order optimizer.

/// Declares an optimizer over a `Rule`, and its builder with the options that may be set.
macro_rules! first_order {
    (
        $(#[$doc:meta])*
        $name:ident, $builder:ident, $rule:ty;
        $($(#[$option_doc:meta])* $option:ident($($arg:ident: $kind:ty),+);)*
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($crate::first_order::FirstOrder<$rule>);

        #[doc = concat!("Options of an optimizer [`", stringify!($name), "`], under torch's names and with torch's")]
        /// defaults.
        #[derive(Clone, Debug)]
        #[must_use = "an optimizer is made by build()"]
        pub struct $builder($crate::first_order::Builder);

        impl $name {
            /// Starts an optimizer over these parameters: tensors, `(name, tensor)` pairs, or groups.
            pub fn builder(params: impl $crate::IntoParams) -> $builder {
                use $crate::first_order::Rule;
                $builder($crate::first_order::Builder::new(params, <$rule>::defaults()))
            }

            /// Moves every parameter that has a gradient.
            ///
            /// # Errors
            /// If an option is missing from a group or of the wrong kind, the state lacks what an option needs
            /// that was switched on later, or when called from inside its own closure. No parameter has moved
            /// then.
            pub fn step(&self) -> $crate::Result<()> {
                $crate::Optimizer::step_without_closure(self)
            }

            /// Evaluates the closure once, with gradients enabled, moves the parameters and returns the loss.
            ///
            /// # Errors
            /// What the closure returned, or as [`step`](Self::step); no parameter has moved then.
            pub fn step_with(
                &self,
                mut closure: impl FnMut() -> std::result::Result<tape::Tensor, $crate::BoxError>,
            ) -> $crate::Result<tape::Tensor> {
                $crate::Optimizer::step_closure(self, &mut closure)
            }
        }

        impl $builder {
            $(
                $(#[$option_doc])*
                #[allow(unused_parens, reason = "a pair of arguments is a tuple, a single one is not")]
                pub fn $option(mut self, $($arg: $kind),+) -> Self {
                    self.0.set(stringify!($option), ($($arg),+));
                    self
                }
            )*

            /// The optimizer.
            ///
            /// # Errors
            /// torch's, in torch's order and words: if an option is out of range, there are no parameters, or one
            /// of them cannot be optimized.
            pub fn build(self) -> $crate::Result<$name> {
                $crate::first_order::FirstOrder::build(self.0).map($name)
            }
        }

        impl $crate::Optimizer for $name {
            fn base(&self) -> &$crate::OptimizerBase {
                &self.0.base
            }

            fn step_body(&self, closure: Option<&mut $crate::Closure<'_>>) -> $crate::Result<Option<tape::Tensor>> {
                self.0.step_body(closure)
            }

            fn save_state(&self) -> Vec<(tape::Tensor, checkpoint::Dict)> {
                self.0.save_state()
            }

            fn param_state(&self, param: &tape::Tensor) -> Option<checkpoint::Dict> {
                self.0.param_state(param)
            }

            fn load_state(&self, loaded: &mut $crate::Loaded) -> $crate::Result<()> {
                self.0.load_state(loaded)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0.base, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}
