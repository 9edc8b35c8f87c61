//! Types and functions generated from the list of views.

use super::{Facts, Maintained, RowOf, View, maintain};
use crate::for_each_view;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concatenate;

/// A kind of value of which each view has one.
pub trait PerView {
    /// The value's type for view `V`.
    type Of<V: View>;
}

/// A function of one view's value.
pub trait Visit<C: PerView> {
    /// The error that ends the visit.
    type Error;
    /// Is called for each view, in the order of the list, until an error.
    ///
    /// # Errors
    /// The visitor's.
    fn visit<V: View>(&mut self, of: &C::Of<V>) -> Result<(), Self::Error>;
}

/// A function of two values of one view.
pub trait VisitBoth<C: PerView, D: PerView> {
    /// The error that ends the visit.
    type Error;
    /// Is called for each view, in the order of the list, until an error.
    ///
    /// # Errors
    /// The visitor's.
    fn visit<V: View>(&mut self, one: &C::Of<V>, other: &D::Of<V>) -> Result<(), Self::Error>;
}

/// Updates a view's value with another one.
pub trait Update<C: PerView, D: PerView> {
    /// Is called for each view.
    fn update<V: View>(&mut self, of: &mut C::Of<V>, by: &mut D::Of<V>);
}

/// Adds a row to its view's value.
pub trait Take<C: PerView> {
    /// Is called for the view of the row.
    fn take<V: View>(&mut self, into: &mut C::Of<V>, row: RowOf<V>);
}

/// What the list generates for a view.
pub trait Registered: Sized + 'static {
    /// Wraps one of its rows.
    fn row(row: RowOf<Self>) -> ViewRow
    where
        Self: View;
    /// The row, if it is one of this view.
    fn of(row: ViewRow) -> Option<RowOf<Self>>
    where
        Self: View;
}

macro_rules! registry {
    ($($module:ident $View:ident,)+) => {
        $(use super::$module::$View;)+

        /// One value for each view.
        pub struct Views<C: PerView> {
            $(#[doc = concat!("Of `", stringify!($module), "`.")]
            pub $module: C::Of<$View>,)+
        }

        /// A row of any view.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ViewRow {
            $(#[doc = concat!("Of `", stringify!($module), "`.")]
            $View(RowOf<$View>),)+
        }

        impl ViewRow {
            /// The view's name.
            #[must_use]
            pub fn view(&self) -> &'static str {
                match self {
                    $(Self::$View(_) => $View::NAME,)+
                }
            }

            /// The row's key, to be shown.
            #[must_use]
            pub fn key(&self) -> &dyn Debug {
                match self {
                    $(Self::$View((key, _)) => key,)+
                }
            }

            /// Gives the row to `taker`, with its view's value.
            pub fn take_into<C: PerView>(self, views: &mut Views<C>, taker: &mut impl Take<C>) {
                match self {
                    $(Self::$View(row) => taker.take::<$View>(&mut views.$module, row),)+
                }
            }
        }

        impl<C: PerView> Views<C> {
            /// Visits each view.
            ///
            /// # Errors
            /// The visitor's first.
            pub fn visit<T: Visit<C>>(&self, visitor: &mut T) -> Result<(), T::Error> {
                $(visitor.visit::<$View>(&self.$module)?;)+
                Ok(())
            }

            /// Visits each view with its value in `other`.
            ///
            /// # Errors
            /// The visitor's first.
            pub fn visit_both<D: PerView, T: VisitBoth<C, D>>(
                &self,
                other: &Views<D>,
                visitor: &mut T,
            ) -> Result<(), T::Error> {
                $(visitor.visit::<$View>(&self.$module, &other.$module)?;)+
                Ok(())
            }

            /// Updates each view's value with that in `other`.
            pub fn update<D: PerView>(&mut self, other: &mut Views<D>, updater: &mut impl Update<C, D>) {
                $(updater.update::<$View>(&mut self.$module, &mut other.$module);)+
            }
        }

        impl<C: PerView> Default for Views<C>
        where
            $(C::Of<$View>: Default,)+
        {
            fn default() -> Self {
                Self { $($module: Default::default(),)+ }
            }
        }

        $(impl Registered for $View {
            fn row(row: RowOf<Self>) -> ViewRow {
                ViewRow::$View(row)
            }

            fn of(row: ViewRow) -> Option<RowOf<Self>> {
                match row {
                    ViewRow::$View(row) => Some(row),
                    _ => None,
                }
            }
        })+

        /// Maintains all views. `restored` are the rows that the tables hold.
        pub fn maintain_all<'s>(
            facts: &Facts<'s>,
            restored: &StreamVec<'s, u64, ViewRow>,
        ) -> Maintained<'s> {
            let (rows, differences): (Vec<_>, Vec<_>) = [$(maintain::<$View>(facts, restored),)+]
                .into_iter()
                .map(|Maintained { rows, differences }| (rows, differences))
                .unzip();
            let scope = restored.scope();
            Maintained { rows: scope.concatenate(rows), differences: scope.concatenate(differences) }
        }
    };
}

for_each_view!(registry);
