select * from {{ shop_entity('email_events') }}
