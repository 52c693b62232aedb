select * from {{ shop_entity('customers') }}
