select * from {{ shop_entity('experiment_exposures') }}
