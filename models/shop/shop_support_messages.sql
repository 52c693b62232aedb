select * from {{ shop_entity('support_messages') }}
